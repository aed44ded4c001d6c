"""Zoom's rhythm, and until when each kind of evidence proves anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from dashboard.models.check import Check, Source

# Zoom challenges both URLs every 72 hours, not to the minute, waits 3 s for the answer,
# mails the app's owner after the second and the fourth failure in a row, and after the
# sixth stops sending and disables the event subscription (docs/contracts/zoom.md 5.5,
# checked 2026-11-23).
REPEATED_EVERY = timedelta(hours=72)
GRACE = timedelta(hours=24)
FAILURES_ALLOWED = 6
ANSWERED_WITHIN_S = 3.0

SAME_ROUND = timedelta(minutes=10)
"""Failures so close together are one: Zoom's rounds are days apart, and only people
who press Validate again, or strangers, are quicker."""

SKEW = timedelta(minutes=1)
"""How far Recall's clock and ours may be apart."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """How old evidence may be and still make something green.

    Attributes:
        seen: Since it was seen (`Check.at`).
        told: Since the instant that it speaks of (`Check.told_at`), when it is one that
            only counts for what it tells.
    """

    seen: timedelta
    told: timedelta | None = None


_ROUND = REPEATED_EVERY + GRACE
LIMITS: Mapping[Source, Limit] = MappingProxyType(
    {
        Source.ZOOM_CHALLENGE: Limit(seen=_ROUND),
        # Says which secret Zoom uses; that Zoom has the URL only a challenge says.
        Source.ZOOM_EVENT: Limit(seen=_ROUND),
        # Never enough for green, and good for a hint as long as Zoom's own.
        Source.OUTSIDE_PROBE: Limit(seen=_ROUND),
        Source.RECALL_CHALLENGE: Limit(seen=_ROUND),
        Source.RECALL_PROBE: Limit(seen=_ROUND),
        # What Recall said a day ago may have been taken back since: the app removed.
        Source.RECALL_API: Limit(seen=GRACE, told=_ROUND),
        # Words that prove nothing, however new.
        Source.RECALL_LOG: Limit(seen=timedelta(0)),
    }
)


def is_within(check: Check, now: datetime) -> bool:
    """Whether it was seen lately enough to make something green. Pure.

    What only counts for what it tells has a second limit, `Limit.told`.
    """
    return now - check.at <= LIMITS[check.source].seen


def missed(since: datetime, now: datetime) -> int:
    """Return how many of Zoom's rounds passed since then, at most all it allows.

    None while the first of them may still come.
    """
    if now - since <= _ROUND:
        return 0
    return min((now - since) // REPEATED_EVERY, FAILURES_ALLOWED)
