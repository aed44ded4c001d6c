"""Which process may refresh a grant, and storing the result.

A refresh token works once, and a lost answer cannot be fetched again
(docs/contracts/zoom.md 3.3 and 3.5, checked 2026-11-25). So one process claims a grant
at a time. Zoom's answer replaces the version that the claim started from, even after
the lease has ended: no other process can have got anything for that refresh token.
docs/custody.md describes every case.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from pydantic import SecretStr
from sqlmodel import Session, col, select, update

from dashboard.clients.zoom.grants import GrantTokens
from dashboard.clients.zoom.oauth import REFUSALS_OF_THE_APP
from dashboard.db import leases
from dashboard.errors import UpstreamError
from dashboard.models.connection import Connection, TokenState
from dashboard.models.held_grant import HeldGrant
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.grants import grants
from dashboard.services.zoom_apps import apps
from dashboard.vault import Vault

ANSWERS_WITHIN = timedelta(seconds=45)
"""A call to Zoom's token endpoint has ended by then: its timeouts add up to 29 s."""

LEASE = timedelta(seconds=60)
"""Longer than that, plus the difference between two machines' clocks."""

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""When a lost grant is refreshed; keeps such rows at the end of the index."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 300.0
_WRONG_PAIR_PAUSE = timedelta(minutes=1)


LOST_GRANT = (
    "Zoom refuses to refresh this authorization: the user removed the app, authorized "
    "it elsewhere, or didn't use it for 90 days. The user must reconnect."
)
_LOST_ANSWER = (
    "Zoom refuses to refresh this authorization. The dashboard asked at {at} UTC and "
    "never got Zoom's answer, which may have held the only valid token. The user must "
    "reconnect."
)

_SAVED = (
    "Zoom's late answer to an earlier refresh saved this authorization. We are "
    "checking it now."
)
_SAVED_BY = "Zoom's answer to a refresh: a new pair of tokens."


class RefreshResult(StrEnum):
    """How a refresh ended."""

    STORED = "stored"
    FOUND = "found"  # a late answer saved a grant that was marked lost
    SUPERSEDED = "superseded"  # a newer pair is stored, from a reconnect
    GONE = "gone"  # the connection was deleted
    LOST = "lost"
    WAITS = "waits"  # an earlier process may still get its answer


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to ask Zoom once.

    Attributes:
        version: Of the pair it started from.
        number: Distinguishes this claim from a later one.
        asked_at: When Zoom is asked.
        asked_before: When Zoom was asked before, if that result is unknown.
        app: As it was when the claim was made.
    """

    connection_id: UUID
    version: int
    number: int
    asked_at: datetime
    asked_before: datetime | None
    app: ZoomApp
    client_secret: SecretStr
    refresh_token: SecretStr


def due(session: Session, *, limit: int, now: datetime) -> list[tuple[UUID, int]]:
    """Return (connection, version) of the grants to refresh now, longest due first."""
    query = (
        select(HeldGrant.connection_id, HeldGrant.version)
        .where(
            col(HeldGrant.refresh_due_at) <= now,
            col(HeldGrant.lost_at).is_(None),
            leases.is_free(HeldGrant.lease_until, now),
        )
        .order_by(col(HeldGrant.refresh_due_at))
        .limit(limit)
    )
    return [(one[0], one[1]) for one in session.exec(query).all()]


def is_free(row: HeldGrant, *, now: datetime) -> bool:
    """Whether no process is refreshing it at `now`."""
    return row.lease_until is None or row.lease_until <= now


def claim(
    session: Session, vault: Vault, connection_id: UUID, *, version: int, now: datetime
) -> Claim | None:
    """Claim a grant that still has `version`, or return None.

    The caller commits, then asks Zoom. If the process dies, the grant is due again when
    the lease ends.
    """
    asked_before = select(HeldGrant.asked_at).where(
        col(HeldGrant.connection_id) == connection_id
    )
    before = session.exec(asked_before.with_for_update()).first()
    until = now + LEASE
    if not leases.claim(
        session,
        HeldGrant,
        col(HeldGrant.connection_id) == connection_id,
        col(HeldGrant.version) == version,
        col(HeldGrant.lost_at).is_(None),
        until=until,
        now=now,
        refresh_due_at=until,
        asked_at=now,
    ):
        return None
    row = session.get_one(HeldGrant, connection_id)
    app = session.get_one(
        ZoomApp, session.get_one(Connection, connection_id).zoom_app_id
    )
    return Claim(
        connection_id=connection_id,
        version=version,
        number=row.claim,
        asked_at=now,
        asked_before=before,
        app=app,
        client_secret=apps.client_secret(vault, app),
        refresh_token=grants.refresh_token(vault, row),
    )


def store(
    session: Session, vault: Vault, claim: Claim, tokens: GrantTokens, *, now: datetime
) -> RefreshResult:
    """Store the new pair over the one the claim started from; the caller commits."""
    row = _locked(session, claim)
    if row is None:
        return RefreshResult.GONE
    if row.version != claim.version:
        return RefreshResult.SUPERSEDED
    was_lost = row.lost_at is not None
    grants.put(session, vault, row, tokens, asked_at=claim.asked_at, now=now)
    if row.claim == claim.number:
        row.lease_until = None
    return RefreshResult.FOUND if was_lost else RefreshResult.STORED


def refused(session: Session, claim: Claim, *, now: datetime) -> RefreshResult:
    """Record that Zoom rejected the refresh token; the caller commits.

    The token is dead, but another process may have got the next one for it. That shows
    as a newer version, a later claim, or an answer within `ANSWERS_WITHIN`.
    """
    row = _locked(session, claim)
    if row is None:
        return RefreshResult.GONE
    if row.version != claim.version or row.claim != claim.number:
        return RefreshResult.SUPERSEDED
    session.add(row)
    if claim.asked_before and now < claim.asked_before + ANSWERS_WITHIN:
        row.asked_at = claim.asked_before
        row.lease_until = row.refresh_due_at = claim.asked_before + ANSWERS_WITHIN
        return RefreshResult.WAITS
    row.lost_at, row.refresh_due_at = now, NEVER
    row.lease_until = None
    return RefreshResult.LOST


def failed(
    session: Session, claim: Claim, error: UpstreamError, *, now: datetime
) -> None:
    """Record a failure that says nothing about the grant, and delay the next refresh.

    The caller commits. Wrong app credentials affect every grant of the app: one of them
    asks again in a minute, and no grant's state changes.
    """
    row = _locked(session, claim)
    if row is None or row.version != claim.version or row.claim != claim.number:
        return
    # Zoom's answer may have been lost: the next refresh will show.
    row.asked_at = claim.asked_at if error.may_have_happened else claim.asked_before
    row.lease_until = None
    row.failures += 1
    row.failed_at, row.failure = now, str(error)[:300]
    row.refresh_due_at = now + _pause(row.failures, error)
    session.add(row)
    session.flush()
    if error.code == "invalid_client" or error.code in REFUSALS_OF_THE_APP:
        _postpone_app(session, claim.connection_id, now)


def _pause(failures: int, error: UpstreamError) -> timedelta:
    pause_s = min(_FIRST_PAUSE_S * 2 ** min(failures - 1, 10), _LONGEST_PAUSE_S)
    asked_s = min(error.retry_after_s or 0.0, _LONGEST_PAUSE_S)
    return timedelta(seconds=max(pause_s, asked_s))


def _postpone_app(session: Session, connection_id: UUID, now: datetime) -> None:
    app_id = session.get_one(Connection, connection_id).zoom_app_id
    siblings = select(Connection.id).where(col(Connection.zoom_app_id) == app_id)
    later = now + _WRONG_PAIR_PAUSE
    session.exec(
        update(HeldGrant)
        .where(
            col(HeldGrant.refresh_due_at) < later,
            col(HeldGrant.connection_id).in_(siblings),
            leases.is_free(HeldGrant.lease_until, now),
        )
        .values(refresh_due_at=later)
    )


def _locked(session: Session, claim: Claim) -> HeldGrant | None:
    return session.get(HeldGrant, claim.connection_id, with_for_update=True)


def mark_lost(
    session: Session, claim: Claim, error: UpstreamError, *, now: datetime
) -> None:
    """Mark the connection as reconnect needed; the caller commits.

    A running check saw the grant before this, so its result is dropped.
    """
    row = session.get(Connection, claim.connection_id, with_for_update=True)
    if row is None:
        return
    reason = LOST_GRANT
    if claim.asked_before is not None:
        reason = _LOST_ANSWER.format(at=f"{claim.asked_before:%Y-%m-%d %H:%M:%S}")
    said = error.detail or str(error)
    row.note_state(
        TokenState.RECONNECT_NEEDED,
        reason,
        evidence=f"Zoom's answer to a refresh: {said}"[:300],
        at=now,
    )
    row.token_checked_at = row.due_at = now
    row.lease_until = None
    row.claim += 1
    session.add(row)


def mark_renewed(
    session: Session,
    connection_id: UUID,
    tokens: GrantTokens,
    *,
    was_lost: bool,
    now: datetime,
) -> None:
    """Update the connection with its new tokens' scopes; the caller commits.

    Args:
        session: Writing.
        connection_id: Whose.
        tokens: As Zoom gave them.
        was_lost: Whether the grant was thought mark_lost until a late answer came.
        now: Aware.
    """
    row = session.get(Connection, connection_id, with_for_update=True)
    if row is None:
        return
    if tokens.scope:
        row.scopes = tokens.scope
    if was_lost:
        row.note_state(TokenState.UNKNOWN, _SAVED, evidence=_SAVED_BY, at=now)
        row.lease_until, row.due_at = None, now
        row.claim += 1
    session.add(row)
