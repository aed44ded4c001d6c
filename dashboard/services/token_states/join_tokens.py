"""Whether a grant may fetch join tokens, and whether the host's settings allow it.

Tested by fetching one for a mapped meeting. Recall does not report the scopes of its
tokens (docs/contracts/recall.md 3.5), and without this scope a bot asks the host. The
join token is dropped at once and expires after 120 s (docs/contracts/zoom.md 4.2);
checked 2026-11-23.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from dashboard.clients.recall.replies import AccessToken
from dashboard.clients.zoom.api import JoinToken, ZoomApi
from dashboard.errors import CUT, UpstreamError
from dashboard.models.connection import Connection, TokenState
from dashboard.models.zoom_app import Kind
from dashboard.services.token_states.rules import Finding, missing_scopes

SETTING = "Hosts can give meeting participants permission to record locally"
"""The setting that most often stops bots from recording.

Source: docs/contracts/recall.md 7.5.5.
"""

EVERY = timedelta(days=7)
"""How often a verified grant is tested again."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ABOUT_RECORDING = re.compile(r"record", re.IGNORECASE)
_LONGEST_BLOCK = 200
_LOOKED_THROUGH = 5
_SCOPE = "local_recording"  # in its name, in either style


def fetch(
    zoom: ZoomApi, token: AccessToken, meetings: Sequence[int], *, turn: int
) -> JoinToken | UpstreamError | None:
    """Ask Zoom for a join token of one mapped meeting; None when none is mapped.

    Args:
        zoom: Asked once.
        token: Of the connection.
        meetings: Those mapped at Recall, newest first. Zoom may have deleted one, so
            each turn tries another of the newest few.
        turn: Grows with each check.
    """
    if not meetings:
        return None
    meeting_id = meetings[turn % min(len(meetings), _LOOKED_THROUGH)]
    try:
        return zoom.join_token(token.token, meeting_id)
    except UpstreamError as error:
        return error


def is_due(row: Connection, *, now: datetime) -> bool:
    """Whether the connection's turn came since its last check: once in `EVERY`.

    Each has its own instant in that time, so that they don't all come at once.
    """
    if row.token_checked_at is None:
        return False
    own = timedelta(seconds=row.id.int % int(EVERY.total_seconds()))
    turns = [(at - _EPOCH - own) // EVERY for at in (row.token_checked_at, now)]
    return turns[0] != turns[1]


def note_block(
    row: Connection,
    answer: JoinToken | UpstreamError | None,
    *,
    kind: Kind,
    now: datetime,
) -> None:
    """Store whether a setting of the host or account forbids recording.

    The caller commits. An answer that says nothing about it changes nothing.
    """
    if isinstance(answer, JoinToken):
        row.recording_block, row.recording_block_at = "", None
    elif answer is not None and _is_by_setting(answer, kind):
        words = answer.detail or "Zoom gave no reason."
        row.recording_block, row.recording_block_at = words[:_LONGEST_BLOCK], now


def combine(
    row: Connection,
    finding: Finding,
    answer: JoinToken | UpstreamError | None,
    *,
    kind: Kind,
) -> Finding:
    """Return a check's finding combined with Zoom's answer. Pure.

    An error that names no scope is about the meeting, the host or the account, not the
    grant. A grant that lacked the scope still lacks it until the user reconnects
    (docs/contracts/zoom.md 3.5) or a call succeeds.
    """
    if finding.state is not TokenState.HEALTHY:
        return finding
    if isinstance(answer, JoinToken):
        return _with(finding, "A join token for a mapped meeting was fetched.")
    lacking = None if answer is None else missing_scopes(answer, kind)
    if lacking is not None:
        return lacking
    may_lack_it = _SCOPE in row.token_reason or CUT in row.token_reason
    if row.token_state is TokenState.MISSING_SCOPES and may_lack_it:
        return replace(
            finding,
            state=TokenState.MISSING_SCOPES,
            reason=row.token_reason,
            evidence=row.token_evidence,
        )
    if answer is None:
        return finding
    return _with(
        finding,
        "No join token for a mapped meeting, for a reason other than scopes: "
        f"{answer.detail or answer}",
    )


def _is_by_setting(error: UpstreamError, kind: Kind) -> bool:
    """Whether an error can only come from a setting.

    Zoom publishes no code for it (docs/contracts/zoom.md 4.3). The token and the
    meeting are known, and no scope is missing.
    """
    if error.retryable or missing_scopes(error, kind) is not None:
        return False
    if error.status == HTTPStatus.FORBIDDEN:
        return True
    about = _ABOUT_RECORDING.search(error.detail or "")
    return error.status == HTTPStatus.BAD_REQUEST and about is not None


def _with(finding: Finding, more: str) -> Finding:
    return replace(finding, evidence=f"{finding.evidence} {more}")
