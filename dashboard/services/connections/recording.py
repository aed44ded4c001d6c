"""Stores what a health check saw in the connection: state, profile, PMI, meetings."""

from datetime import datetime, timedelta
from http import HTTPStatus
from uuid import UUID

from sqlmodel import Session, col, select

from dashboard.clients.recall.replies import (
    AccessToken,
    Mapping,
    RecallCredential,
    Stretch,
)
from dashboard.clients.zoom.api import JoinToken, ZoomUser
from dashboard.errors import UpstreamError, shortened
from dashboard.models import connection
from dashboard.models.connection import (
    Connection,
    MeetingMapping,
    SyncStatus,
    TokenCause,
    TokenState,
)
from dashboard.models.ids import first_id
from dashboard.models.zoom_app import Kind, Routing, ZoomApp
from dashboard.services import former_emails
from dashboard.services.connections import mappings
from dashboard.services.facts import meetings
from dashboard.services.former_emails import Change
from dashboard.services.setup import checklist, first_seen
from dashboard.services.setup.steps import StepKey
from dashboard.services.token_states import join_tokens, rules
from dashboard.services.token_states import pace as pacing
from dashboard.services.token_states.pace import FEW, Pace
from dashboard.services.token_states.rules import CheckResult, judge

PROFILE = "Zoom's profile"
"""The source of a PMI, when a check read it."""

SYNCING = frozenset({SyncStatus.NOT_STARTED, SyncStatus.IN_PROGRESS})

PART = (
    "Recall's list of meetings is too long to be read to its end and may lack the "
    "newest."
)

_SYNC_IS_WATCHED_FOR = timedelta(hours=1)
_SYNC_EVERY = timedelta(seconds=30)
_SYNC_BEGINS = timedelta(minutes=10)
_NEXT_ID = timedelta(milliseconds=1)
_PROVED_EVERY = timedelta(minutes=2)
_FIRST = 10
_SPREAD_STEPS = 10_000
_UNASKED_WAIT_S = 60.0
_FAILED_WAIT_S = 300.0
_LEAST_WAIT_S = 1.0


def store(
    session: Session,
    row: Connection,
    found: CheckResult,
    *,
    now: datetime,
    pace: Pace = FEW,
) -> None:
    """Store what a check saw in the connection; the caller commits.

    Args:
        session: Writing.
        row: Which.
        found: What it saw; no error blocked it.
        now: Aware.
        pace: How soon the next check comes.
    """
    synced_at = _seen_synced_at(row)
    finding = join_tokens.combine(
        row, judge(found, now=now), found.join, kind=found.kind
    )
    if finding.state is TokenState.HEALTHY and row.scopes is not None:
        app = session.get_one(ZoomApp, row.zoom_app_id)
        finding = rules.lacking(row.scopes, app) or finding
    finding = rules.combine(row, finding, now=now)
    join_tokens.note_block(row, found.join, kind=found.kind, now=now)
    row.note_state(
        finding.state,
        shortened(finding.reason, 500),
        evidence=shortened(finding.evidence, 300),
        cause=finding.cause,
        at=now,
    )
    row.token_checked_at = now
    if isinstance(found.credential, RecallCredential):
        row.recall_seen_at = now
        row.recall_status = found.credential.status
        row.sync_status = sync_status(found.credential.meeting_sync_status)
        row.zoom_user_id = found.credential.user_id or row.zoom_user_id
        row.zoom_account_id = found.credential.account_id or row.zoom_account_id
    if isinstance(found.token, AccessToken):
        row.token_expires_at = rules.end_of(found.token, now=now)
    if isinstance(found.user, ZoomUser) and finding.cause is not TokenCause.OTHER_USER:
        former = row.email
        _note_profile(row, found.user, found.kind, now)
        change = Change(former=former, current=row.email)
        former_emails.keep(session, row.id, [change], at=now)
    _store_mappings(session, row, found, now=now)
    row.due_at = pacing.next_check(
        finding.state,
        now=now,
        wait_s=finding.wait_s,
        spread=_spread(row),
        pace=pace,
        expires_at=row.token_expires_at,
    )
    if row.deauthorized_at is not None and finding.state not in connection.SETTLED:
        row.due_at = min(row.due_at, now + rules.CHECKED_EVERY)
    if is_syncing(row, now):
        row.due_at = min(row.due_at, now + _SYNC_EVERY)
    session.add(row)
    _note_milestones(session, row, found, now)
    _note_event_at_recall(session, row, now, synced_at=synced_at)


def _seen_synced_at(row: Connection) -> datetime | None:
    """Return when the last check saw Recall's sync complete and read all it had mapped.

    None if it did not, or so soon after a new consent that the sync of that may not
    have begun.
    """
    at = row.recall_seen_at
    if row.sync_status is not SyncStatus.COMPLETED or at is None:
        return None
    is_settled = row.reconnected_at is None or at >= row.reconnected_at + _SYNC_BEGINS
    return at if row.mappings_seen_at == at and is_settled else None


def _note_event_at_recall(
    session: Session, row: Connection, now: datetime, *, synced_at: datetime | None
) -> None:
    """Store that Zoom's events reach Recall, if this check is the first to show it.

    With routing direct nothing else shows it: a meeting is mapped by a sync or by an
    event (docs/contracts/recall.md 2), and no sync ran between two complete ones.
    """
    if synced_at is None or _seen_synced_at(row) != now:
        return
    if not checklist.is_missing(session, row.zoom_app_id, StepKey.EVENT):
        return
    app = session.get_one(ZoomApp, row.zoom_app_id)
    if app.routing is not Routing.DIRECT:
        return
    is_new = col(MeetingMapping.id) >= first_id(synced_at + _NEXT_ID)
    mine = col(MeetingMapping.connection_id) == row.id
    if session.exec(select(MeetingMapping.id).where(mine, is_new).limit(1)).first():
        shown = first_seen.mapped_by_an_event(app.id, at=now)
        checklist.store(session, [shown])
    elif _is_young(row, now) and _is_among_first(session, app.id):
        row.due_at = min(row.due_at, now + _PROVED_EVERY)


def _note_milestones(
    session: Session, row: Connection, found: CheckResult, now: datetime
) -> None:
    """Store the set-up steps that this check was the first to see done."""
    app_id, kind = row.zoom_app_id, found.kind
    listed = found.mappings
    is_mapped = isinstance(listed, Stretch) and listed.results
    if is_mapped and checklist.is_missing(session, app_id, StepKey.MAPPING):
        first = first_seen.meeting_mapped(app_id, at=now, connection_id=row.id)
        checklist.store(session, [first])
    if not checklist.is_missing(session, app_id, StepKey.SCOPES):
        return
    is_healthy = row.token_state is TokenState.HEALTHY
    is_listed = row.sync_status is SyncStatus.COMPLETED
    if is_healthy and is_listed and isinstance(found.join, JoinToken):
        proof = first_seen.scopes_proved(app_id, kind, at=now, connection_id=row.id)
        checklist.store(session, [proof])
    elif (
        row.token_state is TokenState.HEALTHY
        and _is_young(row, now)
        and _is_among_first(session, app_id)
    ):
        row.due_at = min(row.due_at, now + _PROVED_EVERY)


def _store_mappings(
    session: Session, row: Connection, found: CheckResult, *, now: datetime
) -> None:
    read_at = found.begun_at or now  # a webhook since then may have changed it
    match found.mappings:
        case Stretch() as listed:
            mappings.keep(session, row, listed, now=read_at)
            row.mappings_trouble = PART
            if listed.has_newest:
                row.mappings_seen_at = read_at
                is_all = listed.is_whole and len(listed.results) <= mappings.MOST
                row.mappings_trouble = "" if is_all else meetings.ONLY_NEWEST
        case None if is_deleted_at_recall(found):  # and all its mappings with it
            nothing = Stretch[Mapping](results=[], is_whole=True)
            mappings.keep(session, row, nothing, now=now)
            row.mappings_trouble, row.mappings_seen_at = "", now
        case UpstreamError(status=HTTPStatus.TOO_MANY_REQUESTS) | None:
            mappings.trim(session, row.id)
        case UpstreamError() as error:
            mappings.trim(session, row.id)
            row.mappings_trouble = unread("Recall's list of meetings", error)


def is_deleted_at_recall(found: CheckResult) -> bool:
    """Whether Recall no longer has the credential."""
    failed = (found.credential, found.token)
    return any(
        isinstance(error, UpstreamError)
        and error.service == "Recall"
        and error.own_status == HTTPStatus.NOT_FOUND
        for error in failed
    )


def unread(what: str, error: UpstreamError) -> str:
    """Say that a part could not be read, with the status that came instead."""
    status = "no answer" if error.status is None else f"{error.status}"
    return f"{what} could not be read ({status})."


def postpone(row: Connection, error: UpstreamError, *, now: datetime) -> None:
    """Leave a connection as it stood, due when it may be asked about again.

    Args:
        row: Nothing was heard about it.
        error: A 429, an outage, a web page; or our own budgets had no room.
        now: Aware.
    """
    asked = error.retry_after_s
    wait_s = (
        _UNASKED_WAIT_S
        if error.status == HTTPStatus.TOO_MANY_REQUESTS
        else _FAILED_WAIT_S
    )
    if asked is not None:
        wait_s = max(asked, _LEAST_WAIT_S)
    row.due_at = now + timedelta(seconds=wait_s) * (1 + _spread(row) / 5)
    is_budget = (
        error.service == "Recall" and error.status == HTTPStatus.TOO_MANY_REQUESTS
    )
    if row.token_checked_at is None and not is_budget:
        row.token_reason = rules.nobodys(error)[:500]


def note_pmi(row: Connection, pmi: int | None, *, at: datetime, by: str) -> bool:
    """Store a PMI, or that there is none, and since when; return whether it changed.

    If it did, the former one is kept, and when and by what it changed.
    """
    row.pmi_seen_at = at
    if row.pmi == pmi:
        return False
    if row.pmi is not None:
        row.previous_pmi, row.pmi_changed_at, row.pmi_changed_by = row.pmi, at, by
    row.pmi = pmi
    return True


def _note_profile(row: Connection, user: ZoomUser, kind: Kind, now: datetime) -> None:
    row.zoom_account_id = user.account_id or row.zoom_account_id
    row.display_name = (user.display_name or row.display_name)[:200]
    row.email = (user.email or row.email)[:254]
    row.profile_seen_at = now
    if kind is Kind.ACCOUNT_LEVEL:
        return  # the profile is the admin's; an account has no user id and no PMI
    row.zoom_user_id = row.zoom_user_id or user.id
    if user.pmi is not None or user.has_no_pmi:
        note_pmi(row, user.pmi, at=now, by=PROFILE)


def sync_status(text: str) -> SyncStatus:
    """Return Recall's word for it as ours; unknown for any other."""
    try:
        return SyncStatus(text)
    except ValueError:
        return SyncStatus.UNKNOWN


def is_syncing(row: Connection, now: datetime) -> bool:
    """Whether Recall reads its meetings, and a person may be waiting for them."""
    is_alive = row.token_state is TokenState.HEALTHY
    return row.sync_status in SYNCING and is_alive and _is_young(row, now)


def _is_young(row: Connection, now: datetime) -> bool:
    return now - row.granted_at < _SYNC_IS_WATCHED_FOR


def _is_among_first(session: Session, zoom_app_id: UUID) -> bool:
    """Whether the app has so few users yet that each may prove its set-up."""
    query = select(Connection.id).where(col(Connection.zoom_app_id) == zoom_app_id)
    return len(session.exec(query.limit(_FIRST + 1)).all()) <= _FIRST


def _spread(row: Connection) -> float:
    # A different number for each connection and check, and the same one in a test.
    return (row.id.int + row.claim) % _SPREAD_STEPS / _SPREAD_STEPS
