"""Grants stored here: sealed, found by key, and registered at Recall.

Recall fetches a token at an address that holds a key (docs/contracts/recall.md 5,
checked 2026-11-25). Only the key's hash is stored. Recall calls that address while our
request to register it is still running, so the grant is stored first. Registering uses
up no code and may be repeated (docs/contracts/recall.md 1.8 and 3.5).
"""

import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from uuid import UUID

from pydantic import SecretStr
from sqlmodel import Session, col, select

from dashboard.clients.recall.api import Recall
from dashboard.clients.recall.replies import RecallCredential
from dashboard.clients.zoom.grants import GrantTokens
from dashboard.errors import NotFoundError, UpstreamError
from dashboard.models.connection import Connection
from dashboard.models.held_grant import HeldGrant
from dashboard.models.zoom_app import Kind, ZoomApp
from dashboard.services import urls
from dashboard.services.recall import workspaces
from dashboard.services.recall.credentials import clear, delete
from dashboard.services.runtime import Runtime
from dashboard.vault import Vault

_KEY = re.compile(r"[A-Za-z0-9_-]{43}")
_RENEWED_FROM, _RENEWED_OVER = 0.5, 0.25
_PARTS = 1000


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a credential is to be created.

    Attributes:
        key: Of the address; no one else knows it yet.
    """

    recall: Recall
    oauth_app: UUID
    kind: Kind
    key: str
    token_url: SecretStr

    def create(self, turn: str = "") -> RecallCredential:
        """Create it; a repeat of the same turn gets the same answer."""
        name = hashlib.sha256(f"{self.key}{turn}".encode()).hexdigest()
        return self.recall.create_held_credential(
            oauth_app=self.oauth_app, token_url=self.token_url, idempotency_key=name
        )

    def fits(self, credential: RecallCredential) -> bool:
        """Whether Recall fetches its tokens at this address."""
        return credential.callback_key_hash == hashed(self.key)


def hashed(key: str) -> str:
    """Return a key's stored form: SHA-256, hex. Keys are too long to guess."""
    return hashlib.sha256(key.encode()).hexdigest()


def find_by_key(session: Session, key: str) -> HeldGrant | None:
    """Return the grant with this key, or None."""
    if _KEY.fullmatch(key) is None:
        return None
    query = select(HeldGrant).where(col(HeldGrant.key_hash) == hashed(key))
    return session.exec(query).first()


def connection_ids(session: Session, zoom_app_id: UUID) -> Sequence[UUID]:
    """Return the connections of a zoom app whose tokens are stored here."""
    query = (
        select(HeldGrant.connection_id)
        .join(Connection, col(Connection.id) == col(HeldGrant.connection_id))
        .where(col(Connection.zoom_app_id) == zoom_app_id)
        .order_by(col(HeldGrant.connection_id))
    )
    return session.exec(query).all()


def get(session: Session, connection_id: UUID) -> HeldGrant:
    """Return the connection's grant.

    Raises:
        NotFoundError: No grant of it is stored here.
    """
    row = session.get(HeldGrant, connection_id)
    if row is None:
        raise NotFoundError("grant stored here")
    return row


def add(  # noqa: PLR0913 - the facts of one grant, all named
    session: Session,
    vault: Vault,
    connection_id: UUID,
    tokens: GrantTokens,
    *,
    key: str,
    asked_at: datetime,
    now: datetime,
) -> HeldGrant:
    """Store a connection's first pair of tokens; the caller commits.

    Args:
        session: Writing.
        vault: Seals the pair.
        connection_id: Has no grant here yet.
        tokens: From Zoom.
        key: From `urls.new_key`.
        asked_at: When Zoom was asked: the tokens are valid from then at the earliest.
        now: Aware.
    """
    row = HeldGrant(
        connection_id=connection_id,
        key_hash=hashed(key),
        access_token=b"",
        refresh_token=b"",
        version=0,
        expires_at=now,
        obtained_at=now,
        refresh_due_at=now,
    )
    put(session, vault, row, tokens, asked_at=asked_at, now=now)
    return row


def put(  # noqa: PLR0913 - the facts of one pair, all named
    session: Session,
    vault: Vault,
    row: HeldGrant,
    tokens: GrantTokens,
    *,
    asked_at: datetime,
    now: datetime,
) -> None:
    """Replace the stored pair of tokens by a newer one; the caller commits.

    Resets earlier failures. The lease stays as it is.
    """
    for column, token in (
        ("access_token", tokens.access_token),
        ("refresh_token", tokens.refresh_token),
    ):
        sealed = vault.seal_text(
            token, table="held_grant", column=column, row=row.connection_id
        )
        setattr(row, column, sealed)
    row.api_url = tokens.api_url
    row.version += 1
    lives = timedelta(seconds=tokens.expires_in)
    row.expires_at, row.obtained_at = asked_at + lives, now
    row.refresh_due_at = asked_at + lives * _renewed_at(row.connection_id)
    row.asked_at = row.failed_at = row.lost_at = None
    row.failures, row.failure = 0, ""
    session.add(row)


def drop(session: Session, connection_id: UUID) -> None:
    """Delete a connection's grant if there is one; the caller commits."""
    row = session.get(HeldGrant, connection_id, with_for_update=True)
    if row is not None:
        session.delete(row)
        session.flush()


def access_token(vault: Vault, row: HeldGrant) -> SecretStr:
    """Open the access token."""
    return vault.open_text(
        row.access_token,
        table="held_grant",
        column="access_token",
        row=row.connection_id,
    )


def refresh_token(vault: Vault, row: HeldGrant) -> SecretStr:
    """Open the refresh token; only for the process that claimed the refresh."""
    return vault.open_text(
        row.refresh_token,
        table="held_grant",
        column="refresh_token",
        row=row.connection_id,
    )


def _renewed_at(connection_id: UUID) -> float:
    """Return after which part of its life a token is refreshed: 50 to 75 %, spread."""
    part = connection_id.int % _PARTS / _PARTS
    return _RENEWED_FROM + _RENEWED_OVER * part


def register(runtime: Runtime, connection_id: UUID) -> UUID:
    """Have Recall fetch the tokens of a stored grant here; commits.

    A credential in Recall that already has our address is kept and validated again. Any
    other is replaced by one with a new address. The caller holds the connection's
    lease.

    Returns:
        Recall's ID of the credential.

    Raises:
        NotFoundError: No grant of it is stored here.
        ConflictError: The Zoom app is not in Recall, or the address is too long.
        UpstreamError: Recall refused or didn't answer; may be repeated.
    """
    with runtime.database.reading() as session:
        row = session.get_one(Connection, connection_id)
        grant = get(session, connection_id)
        app = session.get_one(ZoomApp, row.zoom_app_id)
        recall, oauth_app = workspaces.recall_of(runtime, session, app)
    found = _credential_of(recall, row.recall_credential_id)
    if found is not None and found.callback_key_hash == grant.key_hash:
        with suppress(UpstreamError):  # the check that follows shows the result
            recall.validate(found.id)
        return found.id
    key = urls.new_key()
    url = SecretStr(urls.token_url(runtime.public_url, key))
    if found is not None:
        delete(recall, found.id)
    with runtime.database.writing() as session:
        get(session, connection_id).key_hash = hashed(key)
    place = _Place(
        recall=recall, oauth_app=oauth_app, kind=app.kind, key=key, token_url=url
    )
    made = _create_credential(place)
    with runtime.database.writing() as session:
        row = session.get_one(Connection, connection_id)
        row.recall_credential_id = made.id
        session.add(row)
    return made.id


def _credential_of(
    recall: Recall, credential_id: UUID | None
) -> RecallCredential | None:
    if credential_id is None:
        return None
    try:
        return recall.get_credential(credential_id)
    except UpstreamError as error:
        if error.own_status != HTTPStatus.NOT_FOUND:
            raise
        return None


def _create_credential(place: _Place) -> RecallCredential:
    """Create the credential, past an older one of the same user or a lost answer."""
    try:
        made = _create_once(place)
    except UpstreamError as error:
        if not clear(place.recall, place.oauth_app, place.kind, error):
            raise
        return place.create(turn="after a conflict")
    if place.fits(made):
        return made
    # Recall renewed an older credential and kept its address.
    delete(place.recall, made.id)
    return place.create(turn="after another's")


def _create_once(place: _Place) -> RecallCredential:
    """Ask once, and again after a lost answer; then look the credential up."""
    try:
        return place.create()
    except UpstreamError as error:
        if not error.may_have_happened:
            raise
    try:
        return place.create()
    except UpstreamError as error:
        if not error.may_have_happened:
            raise
        there = place.recall.list_credentials(oauth_app=place.oauth_app).whole()
        ours = [one for one in there if place.fits(one)]
        if not ours:
            raise
        return ours[0]
