"""Whether the tables are those of this version: every process asks when it starts.

Reads the migrations' files as text: Alembic would take as much memory as a web
framework. `dashboard.schema` runs them.
"""

import re
from pathlib import Path

from sqlalchemy import inspect, text

from dashboard.db.database import Database
from dashboard.errors import SchemaError

VERSIONS = Path(__file__).parents[1] / "migrations" / "versions"

_REVISION = re.compile(r"^revision = [\"'](\w+)[\"']$", re.MULTILINE)
_FOLLOWS = re.compile(r"^down_revision = [\"'](\w+)[\"']$", re.MULTILINE)


def newest_revision(versions: Path = VERSIONS) -> str:
    """Return the revision that this version of the code needs.

    That is the one migration that no other follows, whatever the files are called.

    Raises:
        SchemaError: There is none, or more than one.
    """
    texts = [each.read_text(encoding="utf-8") for each in versions.glob("*.py")]
    revisions = {found[1] for each in texts if (found := _REVISION.search(each))}
    revisions -= {found[1] for each in texts if (found := _FOLLOWS.search(each))}
    if len(revisions) != 1:
        raise SchemaError(
            "This installation is damaged: its migrations have "
            f"{len(revisions)} ends instead of one. Install the dashboard again."
        )
    return revisions.pop()


def current_revision(database: Database) -> str | None:
    """Return the revision of the tables that are there, or None for no tables."""
    with database.reading() as session:
        connection = session.connection()
        if not inspect(connection).has_table("alembic_version"):
            return None
        query = text("SELECT version_num FROM alembic_version")
        return connection.execute(query).scalar_one_or_none()


def require_newest(database: Database) -> None:
    """Refuse tables of another version.

    Raises:
        SchemaError: Names the command that fixes it.
    """
    found = current_revision(database)
    if found == newest_revision():
        return
    state = "has no tables yet" if found is None else "is of another version"
    raise SchemaError(f"The database {state}. Run: dashboard db upgrade")
