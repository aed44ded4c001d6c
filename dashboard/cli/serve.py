"""`dashboard serve`, `web` and `worker`: the servers, in one process or in several."""

import click

from dashboard import schema, serving
from dashboard.cli.opening import HOST, PORT, load_settings


@click.command()
@HOST
@PORT
def serve(host: str, port: int) -> None:
    """Run web and worker in one process."""
    serving.serve(
        load_settings(), host=host, port=port, upgrade=schema.upgrade_with_backup
    )


@click.command()
@HOST
@PORT
def web(host: str, port: int) -> None:
    """Run only the web server. Needs PostgreSQL; many may run."""
    serving.serve(load_settings(), host=host, port=port)


@click.command()
def worker() -> None:
    """Run only the worker. Needs PostgreSQL; many may run."""
    serving.work(load_settings())
