"""Tokens of the API: made once, stored as hashes, limited by scope and zoom app.

A token is `zrdapi_`, 43 random characters and 8 of a checksum: secret scanners find one
that leaked, and a mistyped one costs no question to the database.
"""

import hashlib
import re
import secrets
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlmodel import Session, col, select, update

from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.db.columns import is_storable
from dashboard.errors import ConflictError, InvalidInputError, NotFoundError
from dashboard.models.api_token import ApiToken
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import audit
from dashboard.services.audit import Actor

PREFIX = "zrdapi_"
LONGEST_NAME = 80
LASTS_DAYS = 365
LONGEST_DAYS = 3650
NOTED_EVERY = timedelta(minutes=1)

_TOKEN = re.compile(r"zrdapi_([A-Za-z0-9_-]{43})([0-9a-f]{8})")


class Scope(StrEnum):
    """What a token may do; reading and writing are different scopes."""

    CONNECTIONS_READ = "connections:read"
    CONNECTIONS_WRITE = "connections:write"
    INVITATIONS_WRITE = "invitations:write"
    TOKENS_READ = "tokens:read"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_RESEND = "webhooks:resend"
    ZOOM_APPS_READ = "zoom_apps:read"
    EVENTS_READ = "events:read"


SCOPE_WORDS: dict[Scope, str] = {
    Scope.CONNECTIONS_READ: "Read connections, and ask Explain.",
    Scope.CONNECTIONS_WRITE: "Change references, check and disconnect.",
    Scope.INVITATIONS_WRITE: "Create, list and revoke invitations and reconnect links.",
    Scope.TOKENS_READ: "Fetch access tokens of users, where the dashboard stores them.",
    Scope.WEBHOOKS_READ: "Read webhooks, with their bodies redacted.",
    Scope.WEBHOOKS_RESEND: "Send a webhook to Recall again.",
    Scope.ZOOM_APPS_READ: "Read zoom apps, their validation status and set-up steps.",
    Scope.EVENTS_READ: "Read the feed of events.",
}


@dataclass(frozen=True, kw_only=True)
class Made:
    """A token just made: the only time that its text is known."""

    row: ApiToken
    token: str


@dataclass(frozen=True, kw_only=True)
class Bearer:
    """Who calls the API.

    Attributes:
        zoom_app_id: The only zoom app it sees; None: all.
    """

    id: UUID
    name: str
    scopes: frozenset[Scope]
    zoom_app_id: UUID | None
    last_used_at: datetime | None


def make(  # noqa: PLR0913 - the facts of one token, all named
    session: Session,
    *,
    name: str,
    scopes: Collection[str],
    days: int = LASTS_DAYS,
    zoom_app_id: UUID | None = None,
    actor: Actor,
    now: datetime,
) -> Made:
    """Make a token; the caller commits.

    Raises:
        InvalidInputError: The name, a scope or the number of days can't be taken.
        NotFoundError: There is no such zoom app.
    """
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not is_storable(name):
        raise InvalidInputError(
            f"A token has a name of 1 to {LONGEST_NAME} characters.", field="name"
        )
    unknown = sorted(set(scopes) - set(Scope))
    if unknown or not scopes:
        known = ", ".join(Scope)
        raise InvalidInputError(
            f"A token has one or more of these scopes: {known}.", field="scopes"
        )
    if not 1 <= days <= LONGEST_DAYS:
        raise InvalidInputError(
            f"A token is valid for 1 to {LONGEST_DAYS:,} days.", field="days"
        )
    if zoom_app_id is not None and session.get(ZoomApp, zoom_app_id) is None:
        raise NotFoundError("zoom app")
    token = _new()
    row = ApiToken(
        name=name,
        token_hash=hashed(token),
        hint=token[-4:],
        scopes=" ".join(sorted(set(scopes))),
        zoom_app_id=zoom_app_id,
        made_by=actor.name,
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    session.add(row)
    session.flush()
    said = f"API token {row.name} ({row.id}): {row.scopes}"
    audit.record(session, actor, "api_token.made", subject=said, now=now)
    return Made(row=row, token=token)


def revoke(
    session: Session, token_id: UUID, *, actor: Actor, now: datetime
) -> ApiToken:
    """End a token; the caller commits.

    Raises:
        NotFoundError: There is none.
        ConflictError: It is revoked already.
    """
    row = session.get(ApiToken, token_id, with_for_update=True)
    if row is None:
        raise NotFoundError("API token")
    if row.revoked_at is not None:
        raise ConflictError("This token is already revoked. Nothing was changed.")
    row.revoked_at = now
    session.add(row)
    said = f"API token {row.name} ({row.id})"
    audit.record(session, actor, "api_token.revoked", subject=said, now=now)
    return row


def list_all(session: Session) -> Sequence[ApiToken]:
    """Return all tokens, newest first, revoked and expired ones too."""
    query = select(ApiToken).order_by(col(ApiToken.created_at).desc(), col(ApiToken.id))
    return session.exec(query).all()


def find(session: Session, token: str, *, now: datetime) -> Bearer | None:
    """Return who has this token; None when it is unknown, expired or revoked."""
    if not is_spelled(token):
        return None
    query = select(ApiToken).where(col(ApiToken.token_hash) == hashed(token))
    row = session.exec(query).first()
    if row is None or not is_valid(row, now=now):
        return None
    return Bearer(
        id=row.id,
        name=row.name,
        scopes=frozenset(Scope(each) for each in row.scopes.split()),
        zoom_app_id=row.zoom_app_id,
        last_used_at=row.last_used_at,
    )


def is_valid(row: ApiToken, *, now: datetime) -> bool:
    """Whether it is accepted. Pure."""
    return row.revoked_at is None and now < row.expires_at


def note_use(database: Database, clock: Clock, bearer: Bearer, address: str) -> None:
    """Note when a token was last used, once a minute; commits."""
    now, last = clock.now(), bearer.last_used_at
    if last is not None and last <= now < last + NOTED_EVERY:
        return
    with database.writing() as session:
        session.exec(
            update(ApiToken)
            .where(col(ApiToken.id) == bearer.id)
            .values(last_used_at=now, last_used_from=address[:64])
        )


def is_spelled(token: str) -> bool:
    """Whether a text is spelled as a token is. Pure."""
    found = _TOKEN.fullmatch(token)
    return found is not None and _checksum(found[1]) == found[2]


def hashed(token: str) -> str:
    """Return how a token is stored: SHA-256, hex, of 32 random bytes."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


def _new() -> str:
    secret = secrets.token_urlsafe(32)
    return f"{PREFIX}{secret}{_checksum(secret)}"


def _checksum(secret: str) -> str:
    return f"{zlib.crc32(secret.encode()):08x}"
