"""`dashboard demo`: the whole thing with a story in it."""

import click

from dashboard import demo as story
from dashboard.cli.listening import HOST, PORT, PORT_NUMBER
from dashboard.errors import SettingsError


@click.command()
@HOST
@PORT
@click.option("--zoom-port", default=8001, show_default=True, type=PORT_NUMBER)
@click.option("--recall-port", default=8002, show_default=True, type=PORT_NUMBER)
def demo(host: str, port: int, zoom_port: int, recall_port: int) -> None:
    """Everything on one machine, against the simulated Zoom and Recall."""
    if len({port, zoom_port, recall_port}) < 3:  # noqa: PLR2004 - three servers
        raise SettingsError("The three ports must differ.")
    story.run(host=host, port=port, zoom_port=zoom_port, recall_port=recall_port)
