"""Connect attempts: their outcomes for their own browsers and for staff.

An attempt that never came back is given up after ten minutes. When a whole row of them
did not, the redirect URL is probably wrong: Zoom then shows *Invalid redirect (4,700)*
itself and sends nobody back (docs/contracts/zoom.md 2.4, checked 2026-11-25).
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from sqlmodel import Session, col, select, update

from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.db.statements import rows_changed
from dashboard.errors import NotFoundError
from dashboard.models.connection import AttemptOutcome, ConnectAttempt, Connection
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import audit
from dashboard.services.invitations import invitations, references
from dashboard.services.paging import Page, page_by_time

INTERRUPTED = "Interrupted while the code was exchanged."
"""The detail of an attempt from the moment its code is being exchanged."""

ELSEWHERE = "A different browser came back with it."

CONSENT_AGAIN = "An older connection was in the way and is removed. Approve again."


LASTS = timedelta(minutes=10)
"""How long a user may take at Zoom."""

LOST_IN_A_ROW = 3
"""So many attempts in a row must be lost before it is reported."""

LOST_WITHIN = timedelta(days=1)
_EXCHANGE_TAKES = timedelta(minutes=2)
_MOST_LOST = 20
_STATUSES = {
    AttemptOutcome.CONNECTED: "connected",
    AttemptOutcome.DECLINED: "declined",
    AttemptOutcome.WRONG_ACCOUNT: "wrong_account",
}
_SAYS_NOTHING = (AttemptOutcome.OPEN, AttemptOutcome.BEGUN_AT_ZOOM)


@dataclass(frozen=True, kw_only=True)
class OutcomeText:
    """An outcome as staff read it.

    Attributes:
        tone: "good", "waiting", "trouble" or "off".
        label: Two or three words.
        next_step: Who does what; "" when there is nothing to do.
    """

    tone: str
    label: str
    next_step: str = ""


OUTCOMES = {
    AttemptOutcome.OPEN: OutcomeText(
        tone="waiting",
        label="In progress",
        next_step="The user is at Zoom. Expires after 10 minutes.",
    ),
    AttemptOutcome.CONNECTED: OutcomeText(tone="good", label="Connected"),
    AttemptOutcome.DECLINED: OutcomeText(
        tone="off",
        label="Declined",
        next_step="The user pressed Decline at Zoom. Explain what the app is for.",
    ),
    AttemptOutcome.EXPIRED: OutcomeText(
        tone="waiting",
        label="Came back too late",
        next_step="The user starts again and finishes within 10 minutes.",
    ),
    AttemptOutcome.ABANDONED: OutcomeText(
        tone="waiting",
        label="Never came back",
        next_step="Either Zoom showed Invalid redirect (4,700), or the user closed the "
        "window. If it happens to everyone, compare the redirect URL in Zoom with the "
        "one on the zoom app's page. They must match exactly.",
    ),
    AttemptOutcome.WRONG_ACCOUNT: OutcomeText(
        tone="trouble",
        label="Wrong Zoom account",
        next_step="The user signs out of Zoom and opens the same link again.",
    ),
    AttemptOutcome.BEGUN_AT_ZOOM: OutcomeText(
        tone="off",
        label="Started at Zoom",
        next_step="The user added the app in Zoom Marketplace and was sent to the "
        "connect page. Nothing was exchanged.",
    ),
    AttemptOutcome.REPLAYED: OutcomeText(
        tone="trouble",
        label="Used in another browser",
        next_step="The user starts and finishes in one browser with cookies allowed. "
        "Many of these from strangers mean that someone is sending out links of their "
        "own attempts.",
    ),
    AttemptOutcome.REFUSED_BY_RECALL: OutcomeText(
        tone="trouble",
        label="Recall refused",
        next_step="An admin reads Recall's response. Usually the redirect URL or the "
        "client secret differs.",
    ),
    AttemptOutcome.REFUSED_BY_ZOOM: OutcomeText(
        tone="trouble",
        label="Zoom refused the code",
        next_step="An admin compares client ID, client secret and redirect URL.",
    ),
    AttemptOutcome.UNREACHABLE: OutcomeText(
        tone="waiting", label="No answer", next_step="The user starts again."
    ),
    AttemptOutcome.ZOOM_ERROR: OutcomeText(
        tone="trouble",
        label="Zoom did not allow it",
        next_step="The organization's Zoom admin may have to approve the app.",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What to show; everything left out matches."""

    outcome: AttemptOutcome | None = None
    zoom_app_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class LostAttempts:
    """The newest attempts were all lost at Zoom.

    Attributes:
        number: How many in a row, 20 at most.
        since: When the first of them began.
    """

    number: int
    since: datetime

    @property
    def sentence(self) -> str:
        """Say what the cause is, most likely."""
        most = "+" if self.number == _MOST_LOST else ""
        return (
            f"the last {self.number}{most} connect attempts never came back. The "
            "redirect URL is probably wrong."
        )


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a connect attempt ended, as its own browser may see it.

    Attributes:
        at: When it is asked for.
    """

    app: ZoomApp
    attempt: ConnectAttempt
    connection: Connection | None
    at: datetime

    @property
    def must_consent_again(self) -> bool:
        """Whether Recall held an older credential that is out of the way now."""
        return self.attempt.detail == CONSENT_AGAIN

    @property
    def is_finishing(self) -> bool:
        """Whether the code is being exchanged right now."""
        return is_being_exchanged(self.attempt, now=self.at)

    @property
    def way_back(self) -> str | None:
        """Return the address of the button back, for the person who came back."""
        if self.attempt.outcome is AttemptOutcome.OPEN or not self.is_fresh:
            return None
        found = self.connection
        return references.way_back(
            self.attempt.return_url,
            origins=self.app.return_origins.split(),
            status=_STATUSES.get(self.attempt.outcome, "failed"),
            connection="" if found is None else str(found.id),
        )

    @property
    def way_back_host(self) -> str:
        """Return the host of the button back, for its words."""
        return urlsplit(self.way_back or "").netloc

    @property
    def is_fresh(self) -> bool:
        """Whether the person who came back from Zoom is the one who reads this.

        Later it may be the next person with this browser.
        """
        ended_at = self.attempt.ended_at
        return ended_at is not None and self.at < ended_at + LASTS


def result(
    session: Session,
    slug: str,
    attempt_id: UUID,
    *,
    browser: str | None,
    now: datetime,
) -> Result:
    """Return how a connect attempt ended, to the browser that made it.

    Raises:
        NotFoundError: There is none of that page, or it is another browser's.
    """
    attempt = session.get(ConnectAttempt, attempt_id)
    if attempt is None or not is_bound(attempt, browser):
        raise NotFoundError("result")
    app = session.get_one(ZoomApp, attempt.zoom_app_id)
    if app.slug != slug:
        raise NotFoundError("result")
    connection = None
    if attempt.connection_id is not None:
        connection = session.get(Connection, attempt.connection_id)
    return Result(app=app, attempt=attempt, connection=connection, at=now)


def is_being_exchanged(attempt: ConnectAttempt, *, now: datetime) -> bool:
    """Whether the attempt came back and its outcome is not known yet. Pure."""
    return (
        attempt.detail == INTERRUPTED
        and attempt.ended_at is not None
        and now < attempt.ended_at + _EXCHANGE_TAKES
    )


def of_connection(session: Session, connection_id: UUID) -> Sequence[ConnectAttempt]:
    """Return the 20 newest attempts that made or renewed a connection."""
    query = (
        select(ConnectAttempt)
        .where(col(ConnectAttempt.connection_id) == connection_id)
        .order_by(col(ConnectAttempt.created_at).desc())
        .limit(20)
    )
    return session.exec(query).all()


def page(
    session: Session, filters: Filters, *, cursor: str | None
) -> Page[ConnectAttempt]:
    """Return connect attempts, newest first."""
    return page_by_time(
        session,
        ConnectAttempt,
        state=None if filters.outcome is None else ("outcome", filters.outcome),
        zoom_app_id=filters.zoom_app_id,
        cursor=cursor,
    )


def any_expired(session: Session, *, now: datetime) -> bool:
    """Whether some connect attempt should have come back by now."""
    query = select(ConnectAttempt.id).where(
        col(ConnectAttempt.outcome) == AttemptOutcome.OPEN,
        col(ConnectAttempt.expires_at) < now,
    )
    return session.exec(query).first() is not None


def expire(session: Session, *, now: datetime) -> int:
    """Give up the attempts that never came back; return how many. The caller commits.

    One that comes back after all is expired then, and says so.
    """
    is_elsewhere = col(ConnectAttempt.detail) == ELSEWHERE
    number = 0
    for outcome, fits in (
        (AttemptOutcome.REPLAYED, is_elsewhere),
        (AttemptOutcome.ABANDONED, ~is_elsewhere),
    ):
        ended = session.exec(
            update(ConnectAttempt)
            .where(
                col(ConnectAttempt.outcome) == AttemptOutcome.OPEN,
                col(ConnectAttempt.expires_at) < now,
                fits,
            )
            .values(outcome=outcome, ended_at=now, code_verifier=None)
        )
        number += rows_changed(ended)
    return number


def note_expired(database: Database, clock: Clock) -> int:
    """End the connect attempts that never came back: a chore of the worker; commits."""
    now = clock.now()
    with database.reading() as session:
        if not any_expired(session, now=now):
            return 0
    with database.writing() as session:
        return expire(session, now=now)


def find_lost(session: Session, app: ZoomApp, *, now: datetime) -> LostAttempts | None:
    """Return that the newest attempts of a day were all abandoned, if they were."""
    query = (
        select(ConnectAttempt.outcome, ConnectAttempt.created_at)
        .where(
            col(ConnectAttempt.zoom_app_id) == app.id,
            col(ConnectAttempt.created_at) > now - LOST_WITHIN,
            col(ConnectAttempt.outcome).not_in(_SAYS_NOTHING),
        )
        .order_by(col(ConnectAttempt.created_at).desc())
        .limit(_MOST_LOST)
    )
    number, since = 0, now
    for outcome, created_at in session.exec(query):
        if outcome is not AttemptOutcome.ABANDONED:
            break
        number, since = number + 1, created_at
    return LostAttempts(number=number, since=since) if number >= LOST_IN_A_ROW else None


def is_bound(attempt: ConnectAttempt, browser: str | None) -> bool:
    """Whether the connect attempt began in the browser whose cookie holds `browser`."""
    given = hashed(browser or "")
    return bool(browser) and hmac.compare_digest(attempt.browser_hash, given)


def hashed(secret: str) -> str:
    """Return how a state or a cookie's value is stored: SHA-256, hex.

    Both are 32 random bytes, so nothing is won by trying values.
    """
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()


def finish(  # noqa: PLR0913 - the facts of one ending, all named
    session: Session,
    attempt_id: UUID,
    outcome: AttemptOutcome,
    *,
    detail: str = "",
    connection: Connection | None = None,
    tried_as: str = "",
    now: datetime,
) -> None:
    """Store the outcome of an attempt, also in its link; the caller commits.

    Args:
        session: Writing.
        attempt_id: The connect attempt.
        outcome: How it ended.
        detail: What Zoom or Recall said, redacted.
        connection: What it made or renewed.
        tried_as: The account that came instead of the one the link is for, masked.
        now: Aware.
    """
    attempt = session.get_one(ConnectAttempt, attempt_id)
    attempt.outcome, attempt.detail, attempt.ended_at = outcome, detail[:500], now
    attempt.connection_id = None if connection is None else connection.id
    session.add(attempt)
    if connection is not None:
        references.keep(connection, attempt)
        session.add(connection)
    invitations.follow(session, attempt, now=now, tried_as=tried_as)


def note_connected(
    session: Session, connection: Connection, name: str, *, is_new: bool, now: datetime
) -> None:
    """Add the audit entry of a connection made or renewed; the caller commits.

    Args:
        session: Writing.
        connection: Which.
        name: Of its zoom app, and through which link.
        is_new: Made, not renewed.
        now: Aware.
    """
    act = "connection.created" if is_new else "connection.reconnected"
    subject = f"connection {connection.id} of {name}"
    audit.record(session, audit.a_user(""), act, subject=subject, now=now)
