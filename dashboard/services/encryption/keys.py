"""The encryption keys: found, made when there are none, verified, and rotated."""

import stat
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, TypedDict

import structlog
from sqlalchemy import Column, Table, and_, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

from dashboard.db import Database
from dashboard.errors import SettingsError, VaultError
from dashboard.models.alert import AlertChannel
from dashboard.models.api_token import ApiReplay
from dashboard.models.audit import AuditKey, VaultCheck
from dashboard.models.connection import ConnectAttempt
from dashboard.models.endpoint import Endpoint
from dashboard.models.erasure import Erasure
from dashboard.models.held_grant import HeldGrant
from dashboard.models.own_server import OwnCallback, OwnServer
from dashboard.models.staff import Authenticator
from dashboard.models.user_mail import UserMail
from dashboard.models.webhook import WebhookBody
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.settings import (
    SHORTEST_SECRET_KEY,
    Settings,
    new_key,
    parse_keys,
    read_or_make_file,
)
from dashboard.vault import Vault


class _Place(TypedDict):
    table: str
    column: str
    row: int


_KNOWN = b"the key is the right one"
_PLACE: _Place = {"table": "vault_check", "column": "sealed", "row": 1}
_KEYS_FILE = "encryption_keys"
_SESSION_FILE = "secret_key"

_log = structlog.get_logger()


def open_vault(settings: Settings, database: Database) -> Vault:
    """Return the vault whose key opens what the database holds; commits.

    Makes a key in `instance/`, with a warning, when none is set and nothing was sealed
    yet. Needs the tables of this version.

    Raises:
        SettingsError: The keys file is spoiled.
        VaultError: The key is missing, or is not the one the database was sealed with.
    """
    _warn_of_readers(settings)
    with database.reading() as session:
        check = session.get(VaultCheck, 1)
    vault = Vault(_keys(settings, is_first=check is None))
    if check is None:
        check = _first_check(database, vault)
    try:
        vault.open(check.sealed, **_PLACE)
    except VaultError:
        raise VaultError(
            "DASHBOARD_ENCRYPTION_KEYS does not hold the key this database was "
            "encrypted with. Put the former key back (also as a second one, behind a "
            "comma); nothing was changed."
        ) from None
    return vault


def session_key(settings: Settings) -> str:
    """Return the key that signs session cookies, made in `instance/` when unset.

    Raises:
        SettingsError: The file is empty, or too short for a key.
    """
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    path = settings.instance / _SESSION_FILE
    text, _ = read_or_make_file(path, new_key())
    if len(text) < SHORTEST_SECRET_KEY:
        raise SettingsError(
            f"{path} has fewer than {SHORTEST_SECRET_KEY} characters, so it can't sign "
            "sessions. Delete it; the next start makes a new one, and everyone signs "
            "in again."
        )
    return text


def _first_check(database: Database, vault: Vault) -> VaultCheck:
    """Store what says whether a key is the right one; of two first starts one does.

    Commits.
    """
    with database.writing() as session:
        if session.get(VaultCheck, 1) is None:
            session.add(VaultCheck(sealed=vault.seal(_KNOWN, **_PLACE)))
            try:
                session.flush()
            except IntegrityError:  # another process was faster
                session.rollback()
    with database.reading() as session:
        return session.get_one(VaultCheck, 1)


def _warn_of_readers(settings: Settings) -> None:
    """Log which files with secrets other users of this machine can read."""
    for name in (".env", _KEYS_FILE, _SESSION_FILE):
        path = settings.instance / name
        with suppress(OSError):
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                _log.warning(
                    "settings.file_is_open",
                    file=str(path),
                    advice=f"Others on this machine can read it: chmod 600 {path}",
                )


def _keys(settings: Settings, *, is_first: bool) -> list[bytes]:
    if settings.encryption_keys is not None:
        return parse_keys(settings.encryption_keys.get_secret_value())
    path = settings.instance / _KEYS_FILE
    if not path.exists() and not is_first:
        raise VaultError(
            "There is no encryption key: DASHBOARD_ENCRYPTION_KEYS is unset and "
            f"{_KEYS_FILE} is not in the instance folder, but the database is "
            "encrypted. Put the key back; nothing was changed."
        )
    text, was_made = read_or_make_file(path, new_key())
    if was_made:
        _log.warning(
            "vault.key_made",
            file=str(path),
            advice="Back it up: without it the secrets in the database are lost.",
        )
    try:
        return parse_keys(text)
    except ValueError:
        raise SettingsError(
            f"{_KEYS_FILE} in the instance folder: not 32 bytes of URL-safe base64"
        ) from None


_BATCH = 200

SEALED: dict[type[SQLModel], tuple[str, ...]] = {
    ApiReplay: ("body",),
    AlertChannel: ("url",),
    Authenticator: ("secret",),
    Endpoint: ("url", "secret", "previous_secret"),
    Workspace: ("api_key", "verification_secret"),
    ZoomApp: ("client_secret", "secret_token", "previous_secret_token"),
    ConnectAttempt: ("code_verifier",),
    Erasure: ("zoom_user_id", "zoom_account_id", "email"),
    HeldGrant: ("access_token", "refresh_token"),
    OwnServer: ("url",),
    OwnCallback: ("url",),
    UserMail: ("secret",),
    WebhookBody: ("headers", "body"),
    AuditKey: ("key",),
    VaultCheck: ("sealed",),
}
"""Every sealed column; the row of its place is the table's primary key."""


def reseal(database: Database, vault: Vault) -> int:
    """Seal again with the newest key what an older one sealed; return how many values.

    Commits each batch.
    May be interrupted and run again. Rows written meanwhile use the newest key already.
    """
    return sum(
        _reseal_batch(database, vault, _table(model), columns, keys)
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


def _reseal_batch(
    database: Database,
    vault: Vault,
    table: Table,
    columns: tuple[str, ...],
    keys: list[Any],
) -> int:
    """Seal the stale values of these rows again; commits.

    Before the transaction begins: the bodies of a batch may be many megabytes.
    """
    changed, resealed = 0, []
    key = _key(table)
    sealed = [table.c[name] for name in columns]
    query = select(key, *sealed).where(
        key.in_(keys), or_(*(column.is_not(None) for column in sealed))
    )
    with database.reading() as session:
        rows = session.connection().execute(query).all()
    for row in rows:
        stale = {
            name: value
            for name, value in zip(columns, row[1:], strict=True)
            if value is not None and vault.is_stale(value)
        }
        fresh = {
            name: _again(vault, value, table.name, name, row[0])
            for name, value in stale.items()
        }
        if stale:
            resealed.append((row[0], stale, fresh))
    if not resealed:
        return 0
    with database.writing() as session:
        connection = session.connection()
        for row_key, stale, fresh in resealed:
            # Only while it is what was read: a newer value is sealed with the new key.
            unchanged = and_(*(table.c[name] == value for name, value in stale.items()))
            done = connection.execute(
                update(table).where(key == row_key, unchanged).values(**fresh)
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
