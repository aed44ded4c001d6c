"""Whether the tables are those of this version: what every process asks at its start.

Without Alembic, which takes as much memory as a web framework: see `schema`.
"""

from pathlib import Path

from sqlalchemy import inspect, text

from dashboard.db.database import Database
from dashboard.errors import SchemaError

_VERSIONS = Path(__file__).parents[1] / "migrations" / "versions"


def newest_revision() -> str:
    """Return the revision that this version of the code needs.

    Migrations follow one another, and their files' names begin with their numbers.
    """
    found = sorted(each.name.partition("_")[0] for each in _VERSIONS.glob("[0-9]*.py"))
    if not found:
        raise SchemaError("This installation carries no migrations.")
    return found[-1]


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
        SchemaError: Names the command that mends it.
    """
    found = current_revision(database)
    if found == newest_revision():
        return
    state = "has no tables yet" if found is None else "is of another version"
    raise SchemaError(f"The database {state}. Run: dashboard db upgrade")
