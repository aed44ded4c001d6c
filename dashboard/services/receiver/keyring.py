"""What the receiver needs of each zoom app: its secrets, cached for about a second."""

import threading
import time
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlmodel import Session, col, select

from dashboard.db import Database
from dashboard.errors import VaultError
from dashboard.models.endpoint import Endpoint
from dashboard.models.zoom_app import Environment, Routing, SecretChange, ZoomApp
from dashboard.services.receiver.signatures import (
    Headers,
    NamedSecret,
    signing_secret,
    usable,
)
from dashboard.vault import Vault

_FRESH_S = 1.0
_RECENT_S = 0.05
_NEIGHBOURS = 500
_NAMES = {"secret_token": "current", "previous_secret_token": "previous"}


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenChange:
    """The progress of a zoom app's newest change of its secret token.

    Attributes:
        is_in_recall: Whether Recall was given the secret token stored here.
        is_seen: Whether Zoom was seen signing with it.
    """

    is_in_recall: bool
    is_seen: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class AppCredentials:
    """A zoom app as the receiver sees it.

    Attributes:
        secrets: Current, then previous; without empty ones, so it may be empty.
        has_recall_app: Whether there is anywhere to forward to.
        version: Grows with each change.
        rotating_until: Until when Zoom may sign with a secret token that is not known
            here yet; None while no rotation is announced.
        change: Of the secret token; None when it was never changed.
        copies_to: Endpoints that get a copy of each webhook.
    """

    id: UUID
    routing: Routing
    secrets: tuple[NamedSecret, ...]
    has_recall_app: bool
    version: int
    rotating_until: datetime | None = None
    change: TokenChange | None = None
    copies_to: tuple[UUID, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighbour:
    """A zoom app that an explanation may name; its secrets stay sealed until tried.

    Attributes:
        sealed: (column, sealed text) of each secret token, current first.
    """

    id: UUID
    name: str
    environment: Environment
    client_id: str
    sealed: tuple[tuple[str, bytes | None], ...]

    def is_sibling(self, other: "Neighbour") -> bool:
        """Whether it is likely the other environment of the same Zoom app."""
        return (
            self.environment != other.environment
            and self.name.strip().casefold() == other.name.strip().casefold()
        )


class SignedWith(StrEnum):
    """Which secret token made a signature, compared with the one that Recall was given.

    A row's `verdict` says what matched on arrival. After a change of the secret token
    the same word means another one, so only the stored bytes tell.
    """

    GIVEN = "given"  # it is the same, as far as is known
    NEWER = "newer"  # Recall is yet to be given it
    UNPROVEN = "unproven"  # the former one, and Zoom was not seen using Recall's
    FORMER = "former"  # one that Zoom was seen to have left


class Keyring:
    """Decrypts secret tokens once a second instead of once a request; thread-safe."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        self._lock = threading.Lock()
        self._known: dict[UUID, tuple[float, AppCredentials]] = {}
        self._neighbours: tuple[float, tuple[Neighbour, ...]] | None = None

    def find(self, app_id: UUID) -> AppCredentials | None:
        """Return the zoom app as it was at most a second ago, or None.

        An unknown one is always looked up, because it may be new.

        Raises:
            StorageError: The database cannot be read.
        """
        return self._find(app_id, _FRESH_S)

    def find_cached(self, app_id: UUID) -> AppCredentials | None:
        """Return the zoom app if it was read within a second; reads no database."""
        known = self._known.get(app_id)
        if known is not None and time.monotonic() - known[0] < _FRESH_S:
            return known[1]
        return None

    def find_newer(self, app_id: UUID) -> AppCredentials | None:
        """Return the zoom app as it is now, for a secret that did not match.

        A flood of forged requests costs 20 queries a second, not one each.

        Raises:
            StorageError: The database cannot be read.
        """
        return self._find(app_id, _RECENT_S)

    def neighbours(self) -> tuple[Neighbour, ...]:
        """Return the zoom apps as they were at most a second ago, newest first.

        At most 500: they only explain a mismatch, they decide nothing.

        Raises:
            StorageError: The database cannot be read.
        """
        with self._lock:
            known, asked_at = self._neighbours, time.monotonic()
            if known is not None and asked_at - known[0] < _FRESH_S:
                return known[1]
            query = select(ZoomApp).order_by(col(ZoomApp.created_at).desc())
            with self._database.reading() as session:
                rows = session.exec(query.limit(_NEIGHBOURS)).all()
            found = tuple(_neighbour(row) for row in rows)
            self._neighbours = (asked_at, found)
            return found

    def secrets_of(self, neighbour: Neighbour) -> tuple[NamedSecret, ...]:
        """Open a neighbour's secret tokens: current, then previous; no empty ones."""
        return tuple(usable(self._open(neighbour.id, neighbour.sealed)))

    def _find(self, app_id: UUID, oldest_s: float) -> AppCredentials | None:
        known = self._known.get(app_id)
        if known is not None and time.monotonic() - known[0] < oldest_s:
            return known[1]
        # One thread reads; the others wait for its result.
        with self._lock:
            known = self._known.get(app_id)
            if known is not None and time.monotonic() - known[0] < oldest_s:
                return known[1]
            return self._read(app_id)

    def _read(self, app_id: UUID) -> AppCredentials | None:
        read_at = time.monotonic()
        with self._database.reading() as session:
            app = session.exec(select(ZoomApp).where(ZoomApp.id == app_id)).first()
            change = _newest_change(session, app_id)
            copied = select(Endpoint.id).where(col(Endpoint.zoom_app_id) == app_id)
            copies_to = tuple(session.exec(copied.order_by(col(Endpoint.id))))
        if app is None:
            self._known.pop(app_id, None)
            return None
        found = AppCredentials(
            id=app.id,
            routing=app.routing,
            secrets=tuple(usable(self._open(app.id, _sealed(app)))),
            has_recall_app=app.recall_app_id is not None
            and app.workspace_id is not None,
            version=app.version,
            rotating_until=app.rotation_until,
            change=change,
            copies_to=copies_to,
        )
        self._known[app_id] = (read_at, found)
        return found

    def _open(
        self, app_id: UUID, sealed: tuple[tuple[str, bytes | None], ...]
    ) -> list[NamedSecret]:
        found = []
        for column, text in sealed:
            if not text:
                continue
            try:
                secret = self._vault.open_text(
                    text, table="zoom_app", column=column, row=app_id
                )
            except VaultError:
                # Treated as missing: 503 until the encryption key is back.
                continue
            found.append(NamedSecret(name=_NAMES[column], secret=secret))
        return found


def signed_with(app: AppCredentials, headers: Headers, body: bytes) -> SignedWith:
    """Return which token signed this webhook, to judge a refusal by Recall."""
    change = app.change
    if change is None or not any(each.name == "current" for each in app.secrets):
        return SignedWith.GIVEN
    made_it = signing_secret(headers, body, app.secrets)
    if made_it is not None and made_it.name == "current":
        return SignedWith.GIVEN if change.is_in_recall else SignedWith.NEWER
    if not change.is_in_recall:
        return SignedWith.GIVEN  # Recall should still have what made it
    return SignedWith.FORMER if change.is_seen else SignedWith.UNPROVEN


def _newest_change(session: Session, app_id: UUID) -> TokenChange | None:
    query = (
        select(SecretChange)
        .where(
            col(SecretChange.zoom_app_id) == app_id, col(SecretChange.has_secret_token)
        )
        .order_by(col(SecretChange.id).desc())
        .limit(1)
    )
    newest = session.exec(query).first()
    if newest is None:
        return None
    return TokenChange(
        is_in_recall=newest.recall_at is not None,
        is_seen=newest.zoom_seen_at is not None or newest.ended_at is not None,
    )


def _sealed(app: ZoomApp) -> tuple[tuple[str, bytes | None], ...]:
    return (
        ("secret_token", app.secret_token),
        ("previous_secret_token", app.previous_secret_token),
    )


def _neighbour(app: ZoomApp) -> Neighbour:
    return Neighbour(
        id=app.id,
        name=app.name,
        environment=app.environment,
        client_id=app.client_id,
        sealed=_sealed(app),
    )
