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
        status = cli.main(standalone_mode=False)
    except DashboardError as error:
        click.echo(f"dashboard: {error}", err=True)
        status = 1
    except OSError as error:  # a file or folder of the person's that cannot be used
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"dashboard: {where}{error.strerror or error}.", err=True)
        status = 1
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        status = error.exit_code
    except click.ClickException as error:
        click.echo(f"dashboard: {' '.join(error.format_message().split())}", err=True)
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        status = 130  # as shells say of Ctrl-C
    sys.exit(status if isinstance(status, int) else 0)
