"""`dashboard serve|web|worker|demo`: the processes."""

import click

from dashboard import demo as demo_story
from dashboard import serving
from dashboard.errors import SettingsError
from dashboard.settings import load

_HOST = click.option("--host", default="127.0.0.1", show_default=True)
_PORT_NUMBER = click.IntRange(1, 65535)
_PORT = click.option("--port", default=8000, show_default=True, type=_PORT_NUMBER)


@click.command()
@_HOST
@_PORT
def serve(host: str, port: int) -> None:
    """Web and worker in one process on one machine."""
    serving.serve(load(), host=host, port=port, with_worker=True)


@click.command()
@_HOST
@_PORT
def web(host: str, port: int) -> None:
    """Only the web, one of many, on PostgreSQL."""
    serving.serve(load(), host=host, port=port, with_worker=False)


@click.command()
def worker() -> None:
    """Only the worker, one of many, on PostgreSQL."""
    serving.work(load())


@click.command()
@_HOST
@_PORT
@click.option("--zoom-port", default=8001, show_default=True, type=_PORT_NUMBER)
@click.option("--recall-port", default=8002, show_default=True, type=_PORT_NUMBER)
def demo(host: str, port: int, zoom_port: int, recall_port: int) -> None:
    """Everything on one machine, against the simulated Zoom and Recall."""
    if len({port, zoom_port, recall_port}) < 3:  # noqa: PLR2004 - three servers
        raise SettingsError("The three ports must differ.")
    demo_story.run(
        host=host,
        port=port,
        zoom_port=zoom_port,
        recall_port=recall_port,
    )
