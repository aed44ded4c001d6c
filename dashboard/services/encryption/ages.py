"""How old keys and secrets are, and which of them should be replaced."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import SecretStr
from sqlmodel import Session, col, delete, select

from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.models.audit import AuditKey
from dashboard.models.worker import SettingSecret
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.settings import Settings
from dashboard.vault import Vault, fingerprint

_IN_SETTINGS: Mapping[str, str] = {
    "encryption_keys": "Encryption key",
    "secret_key": "Session key",
    "oidc_client_secret": "Client secret at the identity provider",
    "metrics_token": "Token of /metrics",
}
_SEAL_KEY = "Key that signs the audit log"


@dataclass(frozen=True, kw_only=True)
class Age:
    """One key or secret.

    Attributes:
        what: Its kind, in words that begin a line.
        of: Whose it is; the setting's name, for one of the settings.
        since: When it was entered or made, or first seen.
        is_first_seen: Whether it may be older.
        zoom_app_id: Where it is changed, as `workspace_id`.
    """

    what: str
    of: str
    since: datetime
    is_first_seen: bool = False
    zoom_app_id: UUID | None = None
    workspace_id: UUID | None = None

    @property
    def words(self) -> str:
        """What it is, within a sentence."""
        what = self.what[0].lower() + self.what[1:]
        return f"{what} ({self.of})" if self.of else what


class NoteAges:
    """Notes once which secrets the settings of this process have: a worker's chore."""

    def __init__(
        self, database: Database, vault: Vault, clock: Clock, settings: Settings
    ) -> None:
        self._database = database
        self._clock = clock
        self._prints = dict(_prints(settings, vault))
        self._is_done = False

    def __call__(self) -> int:
        """Store those that are new, and forget those that are gone; commits."""
        if self._is_done:
            return 0
        with self._database.reading() as session:
            known = {row.name: row for row in session.exec(select(SettingSecret))}
        new = {
            name: found
            for name, found in self._prints.items()
            if name not in known or known[name].fingerprint != found
        }
        gone = known.keys() - self._prints.keys()
        if new or gone:
            with self._database.writing() as session:
                names = [*new, *gone]
                session.exec(
                    delete(SettingSecret).where(col(SettingSecret.name).in_(names))
                )
                now = self._clock.now()
                session.add_all(
                    SettingSecret(name=name, fingerprint=found, seen_at=now)
                    for name, found in new.items()
                )
        self._is_done = True
        return len(new)


def all_of(session: Session) -> Sequence[Age]:
    """Return every key and secret that is in use, the oldest first."""
    found = [
        *_of_zoom_apps(session),
        *_of_workspaces(session),
        *_of_audit(session),
        *_of_settings(session),
    ]
    return sorted(found, key=lambda age: age.since)


def old(found: Sequence[Age], *, days: int, now: datetime) -> Sequence[Age]:
    """Return those that are older than so many days; 0: none are."""
    if not days:
        return []
    return [age for age in found if now - age.since >= timedelta(days=days)]


def _of_zoom_apps(session: Session) -> Iterator[Age]:
    query = select(ZoomApp).where(col(ZoomApp.retired_at).is_(None))
    for app in session.exec(query):
        of = f"{app.name}, {app.environment}"
        for what, at in (
            ("Client secret", app.client_secret_set_at),
            ("Secret token", app.secret_token_set_at),
        ):
            yield Age(what=what, of=of, since=at, zoom_app_id=app.id)


def _of_workspaces(session: Session) -> Iterator[Age]:
    for row in session.exec(select(Workspace)):
        for what, at in (
            ("Recall API key", row.api_key_set_at),
            ("Verification secret", row.verification_secret_set_at),
        ):
            if at is not None:
                yield Age(what=what, of=row.name, since=at, workspace_id=row.id)


def _of_audit(session: Session) -> Iterator[Age]:
    newest = select(AuditKey.made_at).order_by(col(AuditKey.id).desc()).limit(1)
    for made_at in session.exec(newest):
        yield Age(what=_SEAL_KEY, of="", since=made_at)


def _of_settings(session: Session) -> Iterator[Age]:
    for row in session.exec(select(SettingSecret)):
        what = _IN_SETTINGS.get(row.name)
        if what is not None:
            of = f"DASHBOARD_{row.name.upper()}"
            yield Age(what=what, of=of, since=row.seen_at, is_first_seen=True)


def _prints(settings: Settings, vault: Vault) -> Iterator[tuple[str, str]]:
    yield "encryption_keys", vault.newest_key_id
    for name in _IN_SETTINGS:
        value = getattr(settings, name)
        if isinstance(value, SecretStr) and name != "encryption_keys":
            yield name, fingerprint(value)
