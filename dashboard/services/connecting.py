"""One trip of one browser to Zoom and back: begin, finish, and how it ended.

Custody `recall`: the code goes to Recall unopened (contracts/recall.md 4). Sources:
contracts/zoom.md 2 and 3.5, contracts/recall.md 3.5; checked 2026-11-23.
"""

import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import cast
from uuid import UUID, uuid4

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from pydantic import SecretStr
from sqlalchemy import CursorResult
from sqlmodel import Session, col, select, update

from dashboard.errors import ConflictError, NotFoundError, UpstreamError
from dashboard.models.connection import AttemptOutcome, ConnectAttempt
from dashboard.models.zoom_app import TokenCustody, ZoomApp
from dashboard.services import (
    addresses,
    audit,
    connections,
    profiles,
    throttle,
    zoom_apps,
)
from dashboard.services.attempts import CONSENT_AGAIN, hashed, is_bound
from dashboard.services.bundle import Services
from dashboard.services.exchanging import ConsentAgainError, Grant, exchange
from dashboard.services.settling import settler

LASTS = timedelta(minutes=10)
BEGINNINGS = 300
"""Trips one address may begin in 15 minutes: an office behind one address fits in."""

_INTERRUPTED = "Interrupted while Recall was asked."
_LATE = (AttemptOutcome.EXPIRED, "Came back after more than ten minutes.")
_SLUG = re.compile(r"[a-z0-9-]{1,64}")
_ERROR_WORD = re.compile(r"[a-z0-9_]{1,40}")


class Stop(StrEnum):
    """Why a callback cannot be matched with a trip of this browser."""

    NO_STATE = "no_state"  # begun at Zoom, in the Marketplace
    UNKNOWN = "unknown"
    USED = "used"
    OTHER_BROWSER = "other_browser"


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A trip under way; the browser is to go to `authorize_url`."""

    authorize_url: str
    attempt_id: UUID


@dataclass(frozen=True, kw_only=True)
class Finished:
    """Where to send the browser.

    Attributes:
        slug: Of the zoom app, when it is known.
        attempt_id: Its result page; None when the browser may not see one.
        stop: Why there is no result page.
    """

    slug: str | None = None
    attempt_id: UUID | None = None
    stop: Stop | None = None


@dataclass(frozen=True, kw_only=True)
class _Callback:
    """What the browser brought back; anything may be missing or forged."""

    state: str
    code: str | None
    error: str | None
    browser: str | None


@dataclass(frozen=True, kw_only=True)
class _Trip:
    app: ZoomApp
    attempt_id: UUID
    verifier: SecretStr
    code: SecretStr


def door(session: Session, slug: str) -> ZoomApp:
    """Return the zoom app of a hosted page.

    Raises:
        NotFoundError: There is no such page.
    """
    found = zoom_apps.find_by_slug(session, slug) if _SLUG.fullmatch(slug) else None
    if found is None:
        raise NotFoundError("connect page")
    return found


def is_ready(app: ZoomApp) -> bool:
    """Whether a code for this app could be exchanged: Recall has the app."""
    custody_is_recalls = app.token_custody is TokenCustody.RECALL
    return app.recall_app_id is not None and custody_is_recalls


def only_ready(session: Session) -> ZoomApp | None:
    """Return the zoom app that can be connected, if there is exactly one."""
    query = select(ZoomApp).where(
        col(ZoomApp.recall_app_id).is_not(None), col(ZoomApp.retired_at).is_(None)
    )
    ready = [app for app in session.exec(query.limit(2)) if is_ready(app)]
    return ready[0] if len(ready) == 1 else None


def begin(services: Services, slug: str, *, browser: str, address: str = "") -> Begun:
    """Start a trip bound to `browser`, the secret of its cookie; commits.

    Raises:
        NotFoundError: There is no such page.
        ConflictError: The app is not ready or retired, or the address began too many
            trips.
    """
    now = services.clock.now()
    state, verifier = secrets.token_urlsafe(32), SecretStr(secrets.token_urlsafe(48))
    attempt_id = uuid4()
    sealed = services.vault.seal_text(
        verifier, table="connect_attempt", column="code_verifier", row=attempt_id
    )
    with services.database.writing() as session:
        app = door(session, slug)
        if not is_ready(app):
            raise ConflictError("This zoom app is not in Recall yet.")
        if app.retired_at is not None:
            raise ConflictError("This link is not used any more.")
        if address:
            subject = f"connect from {address}"
            if throttle.is_spent(session, subject, limit=BEGINNINGS, now=now):
                raise ConflictError("Too many tries. Wait 15 minutes and try again.")
            throttle.count(session, subject, now=now)
        session.add(
            ConnectAttempt(
                id=attempt_id,
                zoom_app_id=app.id,
                state_hash=hashed(state),
                browser_hash=hashed(browser),
                code_verifier=sealed,
                created_at=now,
                expires_at=now + LASTS,
            )
        )
    authorize_url = services.zoom_oauth.authorize_url(
        client_id=app.client_id,
        redirect_uri=addresses.redirect_url(services.public_url),
        state=state,
        code_challenge=_challenge(verifier),
    )
    return Begun(authorize_url=authorize_url, attempt_id=attempt_id)


def finish(
    services: Services,
    *,
    state: str | None,
    code: str | None,
    error: str | None,
    browser: str | None,
) -> Finished:
    """End the trip that `state` names, whatever the rest says; commits.

    Raises nothing for what Zoom or Recall did: that is the trip's outcome.
    """
    if not state:
        return Finished(stop=Stop.UNKNOWN if error else Stop.NO_STATE)
    came = _Callback(state=state, code=code, error=error, browser=browser)
    now = services.clock.now()
    with services.database.writing() as session:
        taken = _take(services, session, came, now=now)
    if isinstance(taken, Finished):
        return taken
    connection_id = _exchange(services, taken)
    if connection_id is not None:
        with suppress(UpstreamError):  # the sweep looks at it then
            connections.refresh(services, connection_id)
    return Finished(slug=taken.app.slug, attempt_id=taken.attempt_id)


def _take(
    services: Services, session: Session, came: _Callback, *, now: datetime
) -> _Trip | Finished:
    """Pop the state first, then look at the rest: of two callbacks one goes on."""
    popped = session.exec(
        update(ConnectAttempt)
        .where(
            col(ConnectAttempt.state_hash) == hashed(came.state),
            col(ConnectAttempt.outcome) == AttemptOutcome.OPEN,
        )
        .values(outcome=AttemptOutcome.UNREACHABLE, detail=_INTERRUPTED, ended_at=now)
    )
    query = select(ConnectAttempt).where(
        col(ConnectAttempt.state_hash) == hashed(came.state)
    )
    attempt = session.exec(query).first()
    if attempt is None:
        return Finished(stop=Stop.UNKNOWN)
    app = session.get_one(ZoomApp, attempt.zoom_app_id)
    own = Finished(slug=app.slug, attempt_id=attempt.id)
    if cast("CursorResult[object]", popped).rowcount != 1:
        if attempt.outcome is AttemptOutcome.EXPIRED and is_bound(
            attempt, came.browser
        ):
            return own
        return Finished(slug=app.slug, stop=Stop.USED)
    sealed, attempt.code_verifier = attempt.code_verifier, None
    session.add(attempt)
    if not is_bound(attempt, came.browser):
        attempt.outcome = AttemptOutcome.REPLAYED
        attempt.detail = "Came back in another browser than it began in."
        return Finished(slug=app.slug, stop=Stop.OTHER_BROWSER)
    verdict = _stopped(attempt, came, now)
    if verdict is not None or sealed is None:
        attempt.outcome, attempt.detail = verdict or _LATE
        return own
    verifier = services.vault.open_text(
        sealed, table="connect_attempt", column="code_verifier", row=attempt.id
    )
    code = SecretStr(came.code or "")
    return _Trip(app=app, attempt_id=attempt.id, verifier=verifier, code=code)


def _stopped(
    attempt: ConnectAttempt, came: _Callback, now: datetime
) -> tuple[AttemptOutcome, str] | None:
    """Return how the trip ends without Recall; None if there is a code to hand on."""
    if now >= attempt.expires_at:
        return _LATE
    if came.error == "access_denied":
        return AttemptOutcome.DECLINED, "The user declined at Zoom."
    if came.error:
        is_word = _ERROR_WORD.fullmatch(came.error)
        said = came.error if is_word else "an error in words of its own"
        return AttemptOutcome.ZOOM_ERROR, f"Zoom sent the browser back with {said}."
    if not came.code:
        return AttemptOutcome.ZOOM_ERROR, "Zoom sent the browser back without a code."
    return None


def _exchange(services: Services, trip: _Trip) -> UUID | None:
    """Let Recall exchange the code and write down how it went; commits."""
    began_at = services.clock.now()
    outcome, detail = AttemptOutcome.REFUSED_BY_RECALL, ""
    credential = None
    with services.database.reading() as session:
        recall, recall_app_id = profiles.recall_of(services, session, trip.app)
    grant = Grant(
        oauth_app=recall_app_id,
        kind=trip.app.kind,
        code=trip.code,
        redirect_uri=addresses.redirect_url(services.public_url),
        code_verifier=trip.verifier,
    )
    settle = settler(services.database, trip.app, trip.attempt_id, since=began_at)
    try:
        credential = exchange(recall, grant, settle=settle)
    except ConsentAgainError:
        detail = CONSENT_AGAIN
    except UpstreamError as error:
        detail = profiles.words(error)
        if error.retryable or error.may_have_happened:
            outcome = AttemptOutcome.UNREACHABLE
    now = services.clock.now()
    with services.database.writing() as session:
        attempt = session.get_one(ConnectAttempt, trip.attempt_id)
        attempt.outcome, attempt.detail, attempt.ended_at = outcome, detail, now
        session.add(attempt)
        if credential is None:
            return None
        row, is_new = connections.connected(session, trip.app, credential, now=now)
        attempt.outcome, attempt.connection_id = AttemptOutcome.CONNECTED, row.id
        act = "connection.created" if is_new else "connection.reconnected"
        subject = f"connection {row.id} of {trip.app.name}"
        audit.record(session, audit.a_user(""), act, subject=subject, now=now)
        return row.id


def _challenge(verifier: SecretStr) -> str:
    """Return the S256 challenge (RFC 7636 4.2); `plain` would show the verifier."""
    secret = verifier.get_secret_value()
    return str(create_s256_code_challenge(secret))  # type: ignore[no-untyped-call]  # Authlib's stubs leave it out
