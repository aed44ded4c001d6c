"""The command line: `dashboard <command>`. Ends with 0, or one sentence and not 0."""

import sys

import click

from dashboard import logs
from dashboard.cli import database, keys, sandbox, serve, staff, webhooks, zoom_app
from dashboard.errors import DashboardError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="zoom-recall-dashboard")
def cli() -> None:
    """Set up, watch and explain the Recall.ai x Zoom OAuth integration."""
    logs.set_up()


cli.add_command(database.group)
cli.add_command(keys.group)
cli.add_command(sandbox.command)
cli.add_command(serve.demo)
cli.add_command(serve.serve)
cli.add_command(serve.web)
cli.add_command(serve.worker)
cli.add_command(staff.group)
cli.add_command(webhooks.group)
cli.add_command(zoom_app.group)


def main() -> None:
    """Run a command; what went wrong is one sentence on standard error."""
    try:
        cli()
    except DashboardError as error:
        click.echo(f"dashboard: {error}", err=True)
        sys.exit(1)
