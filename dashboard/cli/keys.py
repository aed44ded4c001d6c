"""`dashboard keys`: the encryption keys."""

import click

from dashboard.cli.opening import opened_services
from dashboard.services import audit
from dashboard.services.encryption import keys


@click.group("keys")
def group() -> None:
    """The encryption keys: rotate."""


@group.command()
def rotate() -> None:
    """Seal everything with the newest key; the older ones may go afterwards."""
    with opened_services() as runtime:
        changed = keys.reseal(runtime.database, runtime.vault)
        with runtime.database.writing() as session:
            audit.record(
                session,
                audit.COMMAND_LINE,
                "keys.rotated",
                subject=f"{changed} values",
                now=runtime.clock.now(),
            )
    click.echo(f"{changed} values were sealed anew; older keys may be removed now.")
