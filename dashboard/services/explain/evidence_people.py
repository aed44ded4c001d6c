"""Evidence about people: the grant, invitations, connect attempts, removals. Pure."""

from collections.abc import Iterator

from dashboard.models.connection import (
    AttemptOutcome,
    Connection,
    SyncStatus,
    TokenState,
)
from dashboard.services.explain.facts import Facts
from dashboard.services.explain.verdicts import (
    HERE,
    RECALL,
    ZOOM,
    Line,
    at_connection,
    person,
    who,
)

_ATTEMPTS = {
    AttemptOutcome.OPEN: "is under way",
    AttemptOutcome.CONNECTED: "ended well",
    AttemptOutcome.DECLINED: "was declined at Zoom",
    AttemptOutcome.EXPIRED: "was not finished in time",
    AttemptOutcome.ABANDONED: "went to Zoom and never came back",
    AttemptOutcome.WRONG_ACCOUNT: "came back with another Zoom account",
    AttemptOutcome.BEGUN_AT_ZOOM: "began at Zoom",
    AttemptOutcome.REPLAYED: "came back in another browser",
    AttemptOutcome.REFUSED_BY_RECALL: "was refused by Recall",
    AttemptOutcome.REFUSED_BY_ZOOM: "was refused by Zoom",
    AttemptOutcome.UNREACHABLE: "failed: nobody could be reached",
    AttemptOutcome.ZOOM_ERROR: "came back with an error of Zoom's",
}
_SYNC = {
    SyncStatus.NOT_STARTED: "has not begun",
    SyncStatus.IN_PROGRESS: "is under way",
    SyncStatus.COMPLETED: "is done",
    SyncStatus.FAILED: "failed",
}


def of_connection(facts: Facts) -> Iterator[Line]:
    """Tell what is known of the grant that counts."""
    row = facts.connection
    if row is None:
        return
    seen = f" Seen: {row.token_evidence}" if row.token_evidence else ""
    state = row.token_state.value.replace("_", " ")
    yield at_connection(
        row,
        row.token_checked_at,
        RECALL,
        f"Token state {state}: {row.token_reason or 'not looked at yet.'}{seen}",
    )
    yield at_connection(
        row,
        row.connected_at,
        HERE,
        f"{person(row)} connected, with Zoom user "
        f"{row.zoom_user_id or 'none (a whole account)'}.",
    )
    if row.reconnected_at is not None:
        yield at_connection(
            row, row.reconnected_at, HERE, f"{person(row)} reconnected."
        )
    if row.deauthorized_at is not None:
        yield at_connection(
            row, row.deauthorized_at, ZOOM, "Zoom told that the user removed the app."
        )
    if row.recording_block:
        yield at_connection(
            row,
            row.recording_block_at,
            ZOOM,
            f"Zoom gave no token to record: {row.recording_block}",
        )
    if row.sync_status in _SYNC:
        yield at_connection(
            row,
            row.token_checked_at,
            RECALL,
            f"Recall's reading of the meetings {_SYNC[row.sync_status]}.",
        )
    if facts.grant is not None and facts.grant.lost_at is not None:
        yield at_connection(
            row, facts.grant.lost_at, ZOOM, "Zoom refused to renew the token kept here."
        )
    if facts.member is not None:
        member = facts.member
        yield at_connection(
            row,
            member.seen_at,
            ZOOM,
            f"{who(facts)} is a user of the connected account, "
            f"{member.status or 'status not told'}.",
        )


def of_attempts(facts: Facts) -> Iterator[Line]:
    """Tell of the newest invitation and the newest connect attempt."""
    found, attempt = facts.invitation, facts.attempt
    if found is not None:
        whom = found.email or found.user_ref or found.zoom_user_id or "anybody"
        tried = f" They came as {found.tried_as}." if found.tried_as else ""
        yield Line(
            at=found.ended_at or found.opened_at or found.created_at,
            source=HERE,
            words=f"The invitation for {whom} is {found.state.value.replace('_', ' ')};"
            f" it was made by {found.made_by or 'nobody known'} and ends "
            f"{found.expires_at:%Y-%m-%d %H:%M} UTC.{tried}",
        )
    if attempt is not None:
        how = _ATTEMPTS[attempt.outcome]
        said = f" {attempt.detail}" if attempt.detail else ""
        yield Line(
            at=attempt.ended_at or attempt.created_at,
            source=HERE,
            words=f"The newest connect attempt {how}.{said}",
        )


def of_gone(facts: Facts) -> Iterator[Line]:
    """Tell that they removed the app, and how far deleting is."""
    gone = facts.gone
    if gone is None:
        return
    yield Line(
        at=gone.removed_at,
        source=ZOOM,
        words="Zoom told that the user removed the app.",
    )
    if gone.done_at is not None:
        yield Line(
            at=gone.done_at, source=HERE, words="What was kept here of them is deleted."
        )
    elif gone.deadline_at is not None:
        yield Line(
            at=None,
            source=HERE,
            words="Their data are being deleted, by "
            f"{gone.deadline_at:%Y-%m-%d %H:%M} UTC at the latest. {gone.trouble}",
        )


def of_others(facts: Facts) -> Iterator[Line]:
    """Tell of further connections: in other apps, or of who was pasted."""
    for row in facts.others:
        yield at_connection(
            row, row.connected_at, HERE, f"{person(row)} connected, {_state(row)}."
        )
    pasted = facts.pasted
    if pasted is not None and facts.connection is not pasted:
        yield at_connection(
            pasted,
            pasted.connected_at,
            HERE,
            f"{person(pasted)} connected as Zoom user {pasted.zoom_user_id or 'none'}, "
            f"{_state(pasted)}.",
        )


def _state(row: Connection) -> str:
    if row.token_state is TokenState.HEALTHY:
        return "in good health"
    return f"now {row.token_state.value.replace('_', ' ')}"
