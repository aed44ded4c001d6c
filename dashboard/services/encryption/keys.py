"""The keys of this installation: found, made when there are none, and proven."""

from typing import TypedDict

import structlog

from dashboard.db import Database
from dashboard.errors import SettingsError, VaultError
from dashboard.models.audit import VaultCheck
from dashboard.settings import Settings, new_key, parse_keys, read_or_make_file
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
    with database.reading() as session:
        check = session.get(VaultCheck, 1)
    vault = Vault(_keys(settings, is_first=check is None))
    if check is None:
        with database.writing() as session:
            if session.get(VaultCheck, 1) is None:
                session.add(VaultCheck(sealed=vault.seal(_KNOWN, **_PLACE)))
        return vault
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
    """Return the key that signs session cookies, made in `instance/` when unset."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    text, _ = read_or_make_file(settings.instance / _SESSION_FILE, new_key())
    return text


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
