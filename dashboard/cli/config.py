"""`dashboard config`: the settings as they hold, and what is unsafe about them."""

import sqlite3

import click

from dashboard import settings
from dashboard.cli.opening import load_settings
from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.errors import SettingsError
from dashboard.services.host import config_check


@click.group("config")
def group() -> None:
    """Check the settings."""


@group.command()
@click.option("--strict", is_flag=True, help="End with an error if anything is unsafe.")
def check(*, strict: bool) -> None:
    """Print the settings in use, without secrets, and what is unsafe about them."""
    found = load_settings()
    rows = settings.effective(found)
    width = max(len(row.name) for row in rows)
    for row in rows:
        mark = "" if row.is_set else "  (default)"
        click.echo(f"{row.name:{width}}  {row.value}{mark}")
    database = Database(found.sqlalchemy_url, logs_outages=False)
    try:
        version = f", version {sqlite3.sqlite_version}" if database.is_sqlite else ""
        click.echo(f"\nDatabase: {database.place}{version}.")
        unsafe = config_check.unsafe(found, database, now=Clock().now())
    finally:
        database.close()
    if not unsafe:
        click.echo("Nothing unsafe was found.")
        return
    click.echo("\nUnsafe:")
    for each in unsafe:
        click.echo(f"- {each}")
    if strict:
        raise SettingsError(
            f"{len(unsafe)} settings or files are unsafe, listed above."
        )
