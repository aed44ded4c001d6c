"""Seals what an older encryption key sealed anew with the newest one."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, Table, and_, or_, select, update
from sqlmodel import SQLModel

from dashboard.db import Database
from dashboard.models.audit import VaultCheck
from dashboard.models.connection import ConnectAttempt
from dashboard.models.erasure import Erasure
from dashboard.models.held_grant import HeldGrant
from dashboard.models.webhook import WebhookBody
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.vault import Vault

_BATCH = 200

SEALED: dict[type[SQLModel], tuple[str, ...]] = {
    Workspace: ("api_key", "verification_secret"),
    ZoomApp: ("client_secret", "secret_token", "previous_secret_token"),
    ConnectAttempt: ("code_verifier",),
    Erasure: ("zoom_user_id", "zoom_account_id", "email"),
    HeldGrant: ("access_token", "refresh_token"),
    WebhookBody: ("headers", "body"),
    VaultCheck: ("sealed",),
}
"""Every sealed column; the row of its place is the table's primary key."""


def rotate(database: Database, vault: Vault) -> int:
    """Seal stale values with the newest key, a batch a transaction; return how many.

    May be interrupted and run again. Rows written meanwhile use the newest key already.
    """
    return sum(
        _rotate_batch(database, vault, _table(model), columns, keys)
        for model, columns in SEALED.items()
        for keys in _batches(database, _table(model))
    )


def _batches(database: Database, table: Table) -> Iterator[list[Any]]:
    key = _key(table)
    last: Any = None
    while True:
        query = select(key).order_by(key).limit(_BATCH)
        if last is not None:
            query = query.where(key > last)
        with database.reading() as session:
            found = list(session.connection().execute(query).scalars())
        if not found:
            return
        yield found
        last = found[-1]


def _rotate_batch(
    database: Database,
    vault: Vault,
    table: Table,
    columns: tuple[str, ...],
    keys: list[Any],
) -> int:
    """Commits."""
    changed = 0
    key = _key(table)
    sealed = [table.c[name] for name in columns]
    query = select(key, *sealed).where(
        key.in_(keys), or_(*(column.is_not(None) for column in sealed))
    )
    with database.writing() as session:
        connection = session.connection()
        for row in connection.execute(query).all():
            stale = {
                name: value
                for name, value in zip(columns, row[1:], strict=True)
                if value is not None and vault.is_stale(value)
            }
            if not stale:
                continue
            fresh = {
                name: _again(vault, value, table.name, name, row[0])
                for name, value in stale.items()
            }
            # Only while it is what was read: a newer value is sealed with the new key.
            unchanged = and_(*(table.c[name] == value for name, value in stale.items()))
            done = connection.execute(
                update(table).where(key == row[0], unchanged).values(**fresh)
            )
            changed += len(fresh) if done.rowcount else 0
    return changed


def _again(vault: Vault, sealed: bytes, table: str, column: str, row: object) -> bytes:
    value = vault.open(sealed, table=table, column=column, row=row)
    return vault.seal(value, table=table, column=column, row=row)


def _table(model: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(model.__tablename__)]


def _key(table: Table) -> Column[Any]:
    return next(iter(table.primary_key.columns))
