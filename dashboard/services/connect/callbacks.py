"""What a browser brings back from Zoom, matched with the connect attempt it began.

Source: docs/contracts/zoom.md 2, checked 2026-11-25.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import SecretStr
from sqlmodel import Session, col, select, update

from dashboard.db.statements import rows_changed
from dashboard.models.connection import AttemptOutcome, ConnectAttempt
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.connect.attempts import (
    ELSEWHERE,
    INTERRUPTED,
    hashed,
    is_bound,
)
from dashboard.services.invitations import invitations
from dashboard.vault import Vault

_LATE = (AttemptOutcome.EXPIRED, "Came back after more than 10 minutes.")
_GIVEN_UP = (AttemptOutcome.ABANDONED, AttemptOutcome.REPLAYED)
_ERROR_WORD = re.compile(r"[a-z0-9_]{1,40}")


class Stop(StrEnum):
    """Why a callback cannot be matched with a connect attempt of this browser."""

    NO_STATE = "no_state"  # begun at Zoom, in the Marketplace
    UNKNOWN = "unknown"
    OTHER_BROWSER = "other_browser"


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
class Callback:
    """What the browser brought back; anything may be missing or forged."""

    state: str
    code: str | None
    error: str | None
    browser: str | None


@dataclass(frozen=True, kw_only=True)
class ReturnedAttempt:
    """A connect attempt that came back in time, in its own browser, with a code.

    Attributes:
        invitation_id: The link it began from, when that was made for one person.
    """

    app: ZoomApp
    id: UUID
    invitation_id: UUID | None
    verifier: SecretStr
    code: SecretStr


def claim(
    session: Session, vault: Vault, callback: Callback, *, now: datetime
) -> ReturnedAttempt | Finished:
    """Claim the attempt: of two callbacks of its browser one goes on.

    Another browser leaves the attempt open for its own, and its own is sent to the
    result however often it comes. The caller commits, whatever is returned.
    """
    query = select(ConnectAttempt).where(
        col(ConnectAttempt.state_hash) == hashed(callback.state)
    )
    attempt = session.exec(query).first()
    if attempt is None:
        return Finished(stop=Stop.UNKNOWN)
    app = session.get_one(ZoomApp, attempt.zoom_app_id)
    if not is_bound(attempt, callback.browser):
        _note_elsewhere(session, attempt)
        return Finished(slug=app.slug, stop=Stop.OTHER_BROWSER)
    own = Finished(slug=app.slug, attempt_id=attempt.id)
    claimed = session.exec(
        update(ConnectAttempt)
        .where(
            col(ConnectAttempt.id) == attempt.id,
            col(ConnectAttempt.outcome) == AttemptOutcome.OPEN,
        )
        .values(outcome=AttemptOutcome.UNREACHABLE, detail=INTERRUPTED, ended_at=now)
        .execution_options(synchronize_session=False)
    )
    session.refresh(attempt)
    if rows_changed(claimed) != 1:
        if attempt.outcome in _GIVEN_UP:  # it came back after all
            attempt.outcome, attempt.detail = _LATE
            session.add(attempt)
        return own
    sealed, attempt.code_verifier = attempt.code_verifier, None
    session.add(attempt)
    verdict = _stopped(attempt, callback, now) or invitations.closed(
        session, attempt, now
    )
    if verdict is not None or sealed is None:
        attempt.outcome, attempt.detail = verdict or _LATE
        invitations.follow(session, attempt, now=now)
        return own
    verifier = vault.open_text(
        sealed, table="connect_attempt", column="code_verifier", row=attempt.id
    )
    return ReturnedAttempt(
        app=app,
        id=attempt.id,
        invitation_id=attempt.invitation_id,
        verifier=verifier,
        code=SecretStr(callback.code or ""),
    )


def _note_elsewhere(session: Session, attempt: ConnectAttempt) -> None:
    """Note that another browser opened the callback, for the case that no other does.

    With cookies blocked, or from one app into another, it is the user.
    """
    session.exec(
        update(ConnectAttempt)
        .where(
            col(ConnectAttempt.id) == attempt.id,
            col(ConnectAttempt.outcome) == AttemptOutcome.OPEN,
            col(ConnectAttempt.detail) == "",
        )
        .values(detail=ELSEWHERE)
        .execution_options(synchronize_session=False)
    )


def _stopped(
    attempt: ConnectAttempt, callback: Callback, now: datetime
) -> tuple[AttemptOutcome, str] | None:
    """Return how the attempt ends without a code; None if there is one to hand on."""
    if now >= attempt.expires_at:
        return _LATE
    if callback.error == "access_denied":
        return AttemptOutcome.DECLINED, "The user declined at Zoom."
    if callback.error:
        is_word = _ERROR_WORD.fullmatch(callback.error)
        said = callback.error if is_word else "an unrecognized error"
        return AttemptOutcome.ZOOM_ERROR, f"Zoom sent the browser back with {said}."
    if not callback.code:
        return AttemptOutcome.ZOOM_ERROR, "Zoom sent the browser back without a code."
    return None
