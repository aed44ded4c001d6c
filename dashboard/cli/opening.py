"""What the commands share: what they open, how they read secrets and write values.

Secrets come from files, never from arguments.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from pydantic import SecretStr

from dashboard import logs
from dashboard.app import build_runtime
from dashboard.db import Database, revisions
from dashboard.errors import InvalidInputError
from dashboard.services.runtime import Runtime
from dashboard.settings import Settings, load

_LARGEST_SECRET_BYTES = 10_000

PORT_NUMBER = click.IntRange(1, 65535)
HOST = click.option("--host", default="127.0.0.1", show_default=True)
PORT = click.option("--port", default=8000, show_default=True, type=PORT_NUMBER)

SECRET_FILE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)


def load_settings() -> Settings:
    """Read the settings, and log from now on as they say."""
    settings = load()
    logs.set_up(level=settings.log_level, form=settings.log_format)
    return settings


@contextmanager
def opened_database() -> Iterator[Database]:
    """Open the database of the settings, whatever tables it has."""
    database = Database(load_settings().sqlalchemy_url, logs_outages=False)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def opened_services() -> Iterator[Runtime]:
    """Open everything; the tables must be those of this version."""
    settings = load_settings()
    with opened_database() as database:
        revisions.require_newest(database)
    database = Database(settings.sqlalchemy_url, logs_outages=False)
    runtime = build_runtime(
        settings, listens_on="http://127.0.0.1:8000", database=database
    )
    try:
        yield runtime
    finally:
        runtime.close()


def read_secret(path: Path) -> SecretStr:
    """Return the text of a secret file (`-`: standard input) without its last line end.

    Raises:
        InvalidInputError: It is empty, too long or not text; the message names it.
    """
    with click.open_file(str(path), "rb") as file:
        raw = file.read(_LARGEST_SECRET_BYTES + 1)
    try:
        text = raw.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise InvalidInputError(f"{path} is not valid UTF-8.") from None
    if not text.strip() or len(raw) > _LARGEST_SECRET_BYTES:
        raise InvalidInputError(f"{path} is empty or too long for a secret.")
    return SecretStr(text)


def cell(value: object) -> str:
    """Write a value on one line, without control characters."""
    text = "-" if value in (None, "") else str(value)
    return "".join(c if c.isprintable() else "?" for c in text)
