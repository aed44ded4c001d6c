"""Whether Recall's list was read lately enough to say that it has a meeting now. Pure.

Recall forgets mappings without a word, so one that was read says what was so then
(docs/contracts/recall.md 3.7, checked 2026-11-25).
"""

from datetime import datetime, timedelta

from dashboard.clock import SKEW
from dashboard.models.connection import Connection, MeetingMapping

LISTED_FOR = timedelta(hours=1)
"""How long a mapping that was read counts as one that Recall has."""

ONLY_NEWEST = "Only the newest of Recall's list of meetings were read: it is too long."
"""Why a meeting that was not in what was read may be in Recall's list all the same."""


def is_listed(mapping: MeetingMapping, row: Connection, *, now: datetime) -> bool:
    """Whether Recall is known to link a meeting to a connection now.

    Args:
        mapping: As last read.
        row: Its connection; what was read before the user's last consent is of an
            authorization that has ended.
        now: Aware.
    """
    is_fresh = -SKEW <= now - mapping.seen_at < LISTED_FOR
    return is_fresh and mapping.seen_at >= row.granted_at - SKEW
