"""The user removed the app, says Zoom: a word that a look must bear out.

A webhook alone calls no connection dead: what Recall says of the credential and a real
call with its token do. Pure but for the connection's own mark; asks nobody.
Source: docs/contracts/zoom.md 6 and 9, docs/contracts/recall.md 3.5; checked
2026-11-25.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from dashboard.models.connection import SETTLED, Connection, TokenState
from dashboard.services.token_states.findings import Finding

CHECKED_EVERY = timedelta(minutes=5)
_TOKENS_LIVE_FOR = timedelta(hours=1)
_WEBHOOK = "Zoom's app_deauthorized webhook"


def mark(row: Connection, *, removed_at: datetime, now: datetime) -> bool:
    """Note that Zoom said so, to be looked at at once; tell whether it was news.

    A look under way saw the grant before this and will change nothing. The caller
    commits.

    Args:
        row: Of that user; locked where there are several workers.
        removed_at: When the user removed the app, by Zoom's clock.
        now: Aware.
    """
    if removed_at <= row.granted_at:
        return False  # of a grant before this one
    if row.deauthorized_at is not None and removed_at <= row.deauthorized_at:
        return False
    row.deauthorized_at = removed_at
    if row.token_state not in SETTLED:
        row.token_state = TokenState.UNKNOWN
        row.token_reason = f"{_said(removed_at)} This is being checked now."
        row.token_evidence = f"{_WEBHOOK}, rightly signed."
    row.due_at, row.lease_until = now, None
    row.claim += 1
    return True


def combine(row: Connection, finding: Finding, *, now: datetime) -> Finding:
    """Return what a look found together with Zoom's word, if there is one.

    Takes the mark away once it is disproved: any token of before the removal has ended
    by then, and yet one works.
    """
    removed_at = row.deauthorized_at
    if removed_at is None:
        return finding
    if finding.state in SETTLED:
        seen = finding.evidence.rstrip(".")
        return replace(
            finding,
            state=TokenState.RECONNECT_NEEDED,
            reason=f"The user removed the app in Zoom at {_instant(removed_at)}; "
            f"{seen}. The user must reconnect.",
            evidence=f"{_WEBHOOK}, and: {finding.evidence}",
        )
    if finding.state is TokenState.HEALTHY and now >= removed_at + _TOKENS_LIVE_FOR:
        row.deauthorized_at = None
        return finding
    return replace(finding, reason=f"{finding.reason} {_said(removed_at)}")


def _said(removed_at: datetime) -> str:
    return (
        f"Zoom says that the user removed the app at {_instant(removed_at)}; "
        "nothing bears that out yet."
    )


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
