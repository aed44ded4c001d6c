"""`dashboard sandbox` and `demo`: the simulated Zoom, Recall and identity provider."""

import secrets
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress

import click

from dashboard import demo as story
from dashboard.cli.opening import HOST, PORT, PORT_NUMBER
from dashboard.errors import SettingsError
from dashboard.sandbox.serving import start
from dashboard.sandbox.zoom.world import seed
from dashboard.serving import die_with, require_free, reserve

_USUAL_OIDC_PORT = 8003
OIDC_PORT = click.option(
    "--oidc-port",
    type=PORT_NUMBER,
    help="Of the identity provider. [default: 8003, or one that is free]",
)
_PORT_NUMBER = click.IntRange(0, 65535)  # 0: any that is free


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--zoom-port", default=8001, show_default=True, type=_PORT_NUMBER)
@click.option("--recall-port", default=8002, show_default=True, type=_PORT_NUMBER)
@OIDC_PORT
@click.option(
    "--oidc-redirect-url",
    default="http://127.0.0.1:8000/sign-in/sso/callback",
    show_default=True,
    help="Where the identity provider sends people back to.",
)
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
    oidc_port: int | None,
    oidc_redirect_url: str,
    allow_local: bool,  # noqa: FBT001 - click passes flags so
    empty: bool,  # noqa: FBT001 - as above
    with_parent: int | None,
) -> None:
    """Run the simulated Zoom, Recall and identity provider, each on its own port."""
    if with_parent is not None:
        die_with(with_parent)
    for port, option in ((zoom_port, "--zoom-port"), (recall_port, "--recall-port")):
        if port:
            require_free(host, port, option=option)
    running = start(
        host=host,
        zoom_port=zoom_port,
        recall_port=recall_port,
        oidc_port=_oidc_port(host, oidc_port),
        allow_local=allow_local,
    )
    click.echo(f"Simulated Zoom:   {running.zoom_url}")
    click.echo(f"Simulated Recall: {running.recall_url}")
    click.echo(f"Simulated identity provider (issuer): {running.oidc_url}")
    client = running.oidc_world.add_client(
        client_id="dashboard",
        client_secret=secrets.token_urlsafe(16),
        redirect_uris=[oidc_redirect_url],
    )
    # Simulated, as the key below: worth nothing outside this process.
    click.echo(f"Simulated client: {client.client_id}, secret {client.client_secret}")
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
@OIDC_PORT
def demo(
    host: str, port: int, zoom_port: int, recall_port: int, oidc_port: int | None
) -> None:
    """Run everything on one machine with a simulated Zoom and Recall."""
    ports = [port, zoom_port, recall_port, *([oidc_port] if oidc_port else [])]
    if len(set(ports)) < len(ports):
        raise SettingsError("The ports must be different.")
    story.run(
        host=host,
        port=port,
        zoom_port=zoom_port,
        recall_port=recall_port,
        oidc_port=_oidc_port(host, oidc_port, taken=ports),
    )


def _oidc_port(host: str, given: int | None, *, taken: Sequence[int] = ()) -> int:
    """Return the port to use; only one that was asked for must be free."""
    if given is not None:
        require_free(host, given, option="--oidc-port")
        return given
    with suppress(SettingsError):
        if _USUAL_OIDC_PORT not in taken:
            require_free(host, _USUAL_OIDC_PORT)
            return _USUAL_OIDC_PORT
    with reserve(host, 0) as free:
        return int(free.getsockname()[1])
