"""Whether a grant may fetch join tokens: seen by fetching one for a mapped meeting.

Recall does not tell the scopes of the tokens it keeps (contracts/recall.md 3.5), and
without this one a bot asks the host. The join token is forgotten at once and ends by
itself after 120 s (contracts/zoom.md 4.2); checked 2026-11-23.
"""

from collections.abc import Sequence
from dataclasses import replace

from dashboard.clients.recall_replies import AccessToken
from dashboard.clients.zoom import JoinToken, ZoomApi
from dashboard.errors import UpstreamError
from dashboard.models.connection import Connection, TokenState
from dashboard.models.zoom_app import Kind
from dashboard.services.findings import Finding
from dashboard.services.scope_states import missing_scopes

_LOOKED_THROUGH = 5
_SCOPE = "local_recording"  # in its name, in either style


def fetch(
    zoom: ZoomApi, token: AccessToken, meetings: Sequence[int], *, turn: int
) -> JoinToken | UpstreamError | None:
    """Ask Zoom for a join token of one mapped meeting; None when none is mapped.

    Args:
        zoom: Asked once.
        token: Of the connection.
        meetings: Those mapped at Recall, newest first. One may be gone at Zoom, so
            that each turn tries another of the newest few.
        turn: Grows with each look.
    """
    if not meetings:
        return None
    meeting_id = meetings[turn % min(len(meetings), _LOOKED_THROUGH)]
    try:
        return zoom.join_token(token.token, meeting_id)
    except UpstreamError as error:
        return error


def weigh(
    row: Connection,
    finding: Finding,
    answer: JoinToken | UpstreamError | None,
    *,
    kind: Kind,
) -> Finding:
    """Return what a look found together with Zoom's answer. Pure.

    A refusal that names no scope is the meeting's, the host's or the account's affair
    and says nothing of the grant. A grant that was seen to lack the scope goes on
    lacking it until the user reconnects (contracts/zoom.md 3.5) or a call proves it.
    """
    if finding.state is not TokenState.HEALTHY:
        return finding
    if isinstance(answer, JoinToken):
        return _with(finding, "It gave a join token for a mapped meeting.")
    lacking = None if answer is None else missing_scopes(answer, kind)
    if lacking is not None:
        return lacking
    if row.token_state is TokenState.MISSING_SCOPES and _SCOPE in row.token_reason:
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
        "It gave no join token for a mapped meeting, for a reason that is none of the "
        f"scopes: {answer.detail or answer}",
    )


def _with(finding: Finding, more: str) -> Finding:
    return replace(finding, evidence=f"{finding.evidence} {more}")
