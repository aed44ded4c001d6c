"""`dashboard sandbox` and `demo`: the simulated Zoom and Recall."""

import signal
import threading

import click

from dashboard import demo as story
from dashboard.cli.opening import HOST, PORT, PORT_NUMBER
from dashboard.errors import SettingsError
from dashboard.sandbox.serving import start
from dashboard.sandbox.zoom.world import seed
from dashboard.serving import die_with, require_free

_PORT_NUMBER = click.IntRange(0, 65535)  # 0: any that is free


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--zoom-port", default=8001, show_default=True, type=_PORT_NUMBER)
@click.option("--recall-port", default=8002, show_default=True, type=_PORT_NUMBER)
@click.option(
    "--allow-local",
    is_flag=True,
    help="Accept http, localhost and IP addresses, unlike the real services.",
)
@click.option("--empty", is_flag=True, help="Start without the example app and users.")
@click.option("--with-parent", type=int, hidden=True)
def sandbox(
    host: str,
    zoom_port: int,
    recall_port: int,
    allow_local: bool,  # noqa: FBT001 - click passes flags so
    empty: bool,  # noqa: FBT001 - as above
    with_parent: int | None,
) -> None:
    """Run the simulated Zoom and Recall, each on its own port."""
    if with_parent is not None:
        die_with(with_parent)
    for port, option in ((zoom_port, "--zoom-port"), (recall_port, "--recall-port")):
        if port:
            require_free(host, port, option=option)
    running = start(
        host=host,
        zoom_port=zoom_port,
        recall_port=recall_port,
        allow_local=allow_local,
    )
    click.echo(f"Simulated Zoom:   {running.zoom_url}")
    click.echo(f"Simulated Recall: {running.recall_url}")
    if not empty:
        seed(running.zoom_world)
        workspace = running.recall_world.add_workspace("us-east-1")
        # A simulated key: worth nothing outside this process.
        click.echo(f"Simulated API key (us-east-1): {workspace.api_key}")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
    running.close()


@click.command()
@HOST
@PORT
@click.option("--zoom-port", default=8001, show_default=True, type=PORT_NUMBER)
@click.option("--recall-port", default=8002, show_default=True, type=PORT_NUMBER)
def demo(host: str, port: int, zoom_port: int, recall_port: int) -> None:
    """Run everything on one machine with a simulated Zoom and Recall."""
    if len({port, zoom_port, recall_port}) < 3:  # noqa: PLR2004 - three servers
        raise SettingsError("The three ports must be different.")
    story.run(host=host, port=port, zoom_port=zoom_port, recall_port=recall_port)
