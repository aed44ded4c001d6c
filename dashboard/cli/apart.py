"""`dashboard web|worker`: the processes apart, many of each, on PostgreSQL."""

import click

from dashboard import serving
from dashboard.cli.listening import HOST, PORT
from dashboard.settings import load


@click.command()
@HOST
@PORT
def web(host: str, port: int) -> None:
    """Only the web, one of many, on PostgreSQL."""
    serving.serve(load(), host=host, port=port)


@click.command()
def worker() -> None:
    """Only the worker, one of many, on PostgreSQL."""
    serving.work(load())
