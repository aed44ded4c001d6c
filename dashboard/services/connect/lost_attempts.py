"""Whether everybody who left for Zoom lately was lost there: a wrong redirect URL.

Zoom shows its *Invalid redirect (4,700)* itself and sends nobody back, so that silence
is all there is to see (docs/contracts/zoom.md 2.4, checked 2026-11-25).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from dashboard.models.connection import AttemptOutcome, ConnectAttempt
from dashboard.models.zoom_app import ZoomApp

LEAST = 3
"""So many connect attempts in a row must be lost before anything is said."""

WITHIN = timedelta(days=1)
_LOOKED_AT = 20
_SAYS_NOTHING = (AttemptOutcome.OPEN, AttemptOutcome.BEGUN_AT_ZOOM)


@dataclass(frozen=True, kw_only=True)
class Lost:
    """The last connect attempts were all lost at Zoom.

    Attributes:
        number: How many in a row; at most 20 are looked at.
        since: When the first of them began.
    """

    number: int
    since: datetime

    @property
    def sentence(self) -> str:
        """Say what it is, most likely."""
        most = "+" if self.number == _LOOKED_AT else ""
        return (
            f"the last {self.number}{most} connect attempts never came back. The "
            "redirect URL is probably wrong."
        )


def find(session: Session, app: ZoomApp, *, now: datetime) -> Lost | None:
    """Return that the newest attempts of a day were all abandoned, if they were."""
    query = (
        select(ConnectAttempt.outcome, ConnectAttempt.created_at)
        .where(
            col(ConnectAttempt.zoom_app_id) == app.id,
            col(ConnectAttempt.created_at) > now - WITHIN,
            col(ConnectAttempt.outcome).not_in(_SAYS_NOTHING),
        )
        .order_by(col(ConnectAttempt.created_at).desc())
        .limit(_LOOKED_AT)
    )
    number, since = 0, now
    for outcome, created_at in session.exec(query):
        if outcome is not AttemptOutcome.ABANDONED:
            break
        number, since = number + 1, created_at
    return Lost(number=number, since=since) if number >= LEAST else None
