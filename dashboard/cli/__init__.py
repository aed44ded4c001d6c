"""The command line: `dashboard <command>`.

It exits with 0, or prints one sentence and exits with another status. Each module here
is one command or a few that belong together; `opening` is what they share.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import cast

import click

from dashboard import logs
from dashboard.errors import DashboardError, StorageError

_COMMANDS = {
    "alert-channel": "alert_channel:group",
    "api-token": "api_token:group",
    "audit": "audit:group",
    "config": "config:group",
    "db": "database:group",
    "demo": "sandbox:demo",
    "destination": "endpoint:destinations",
    "endpoint": "endpoint:group",
    "explain": "explain:command",
    "invite": "invite:command",
    "keys": "database:keys_group",
    "sandbox": "sandbox:sandbox",
    "serve": "serve:serve",
    "staff": "staff:group",
    "test-bot": "bot_test:command",
    "web": "serve:web",
    "webhooks": "webhooks:group",
    "worker": "serve:worker",
    "zoom-app": "zoom_app:group",
}


class _Commands(click.Group):
    """Imports a command when it is asked for: a worker needs no simulators."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        module, _, name = _COMMANDS.get(cmd_name, "").partition(":")
        if not module:
            return None
        found = getattr(import_module(f"dashboard.cli.{module}"), name)
        return cast("click.Command", found)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="zoom-recall-dashboard")
def cli() -> None:
    """Set up, watch and explain the Recall.ai x Zoom OAuth integration."""
    logs.set_up()


def main(words: Sequence[str] | None = None) -> None:
    """Run a command; an error is one sentence on standard error.

    Args:
        words: The command with its options; by default those of the process.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name in another script than LANG's
            stream.reconfigure(errors="backslashreplace")
    try:
        status = cli.main(words, standalone_mode=False)
    except DashboardError as error:
        reason = error.reason if isinstance(error, StorageError) else error
        click.echo(f"dashboard: {reason}", err=True)
        status = 1
    except OSError as error:  # a file or folder that cannot be used
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
        status = 130  # what shells use for Ctrl-C
    sys.exit(status if isinstance(status, int) else 0)
