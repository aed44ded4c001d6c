"""A look into every column of every table, opened where it is sealed."""

from collections.abc import Iterator
from typing import Any

from sqlmodel import Session, SQLModel

from dashboard.db import Database
from dashboard.errors import VaultError
from dashboard.services.encryption.resealing import SEALED
from dashboard.vault import Vault


def places(database: Database, vault: Vault, needles: list[str]) -> set[str]:
    """Return the columns that hold any of these, opened where they are sealed."""
    wanted = [needle.lower() for needle in needles]
    with database.reading() as session:
        return {
            place
            for place, text in _everything(session, vault)
            if any(needle in text.lower() for needle in wanted)
        }


def _everything(session: Session, vault: Vault) -> Iterator[tuple[str, str]]:
    sealed = {str(model.__tablename__): names for model, names in SEALED.items()}
    for table in SQLModel.metadata.sorted_tables:
        key = next(iter(table.primary_key.columns)).name
        for found in session.connection().execute(table.select()).mappings():
            for name, value in found.items():
                place = {"table": table.name, "column": name, "row": found[key]}
                is_sealed = name in sealed.get(table.name, ())
                yield f"{table.name}.{name}", _text(vault, value, place, is_sealed)


def _text(vault: Vault, value: object, place: dict[str, Any], is_sealed: bool) -> str:  # noqa: FBT001 - a test's
    if not isinstance(value, bytes):
        return str(value)
    try:
        value = vault.open(value, **place)
    except VaultError:
        assert not is_sealed, place
    return value.decode("latin-1")
