"""`dashboard serve`: everything in one process."""

import click

from dashboard import schema, serving
from dashboard.cli.listening import HOST, PORT
from dashboard.settings import load


@click.command()
@HOST
@PORT
def serve(host: str, port: int) -> None:
    """Web and worker in one process on one machine."""
    serving.serve(load(), host=host, port=port, upgrade=schema.upgrade_with_backup)
