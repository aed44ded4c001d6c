"""One look at a connection: Recall's record, a token, a real call, the mappings.

The token is fetched from Recall, used once for Zoom's `users/me` and, where that is not
proved yet, once to fetch a join token; both are forgotten.
Sources: contracts/recall.md 3.5 and 3.7, contracts/zoom.md 4.1; checked 2026-11-23.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlmodel import Session, col, delete, select

from dashboard.clients.recall import Recall
from dashboard.clients.recall_replies import AccessToken, Mapping, RecallCredential
from dashboard.clients.zoom import JoinToken, ZoomApi, ZoomUser
from dashboard.errors import ConflictError, UpstreamError
from dashboard.models.connection import (
    Connection,
    MeetingMapping,
    SyncStatus,
    TokenState,
)
from dashboard.models.ids import new_id
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import Kind, ZoomApp
from dashboard.services import (
    join_tokens,
    milestones,
    removals,
    token_states,
    workspaces,
)
from dashboard.services.bundle import Services
from dashboard.services.milestones import Key
from dashboard.services.setup_scopes import is_working
from dashboard.services.token_states import Seen, judge, next_look

PROFILE = "Zoom's profile"
"""What told of a PMI, when a look did."""

MAPPINGS = 500
"""How many of Recall's mappings of one connection are kept here, newest first."""

_SYNC_IS_WATCHED_FOR = timedelta(hours=1)
_SYNC_EVERY = timedelta(seconds=30)
_PROVED_EVERY = timedelta(minutes=2)
_PERCENT = 100
_UNASKED_WAIT_S = 60.0
_LEAST_WAIT_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one look brought home.

    Attributes:
        mappings: Recall's, newest first; None when they could not be had.
        join: A join token of a mapped meeting, or why there was none; None when it was
            not asked for.
    """

    seen: Seen
    mappings: Sequence[Mapping] | None = field(default=None)
    join: JoinToken | UpstreamError | None = field(default=None)


def recall_of(
    services: Services, session: Session, app: ZoomApp
) -> tuple[Recall, UUID]:
    """Return the client of the app's workspace and the app's id in Recall.

    Raises:
        ConflictError: The app is not in Recall yet.
    """
    if app.workspace_id is None or app.recall_app_id is None:
        raise ConflictError(f"{app.name} is not in Recall yet.")
    workspace = session.get_one(Workspace, app.workspace_id)
    key = workspaces.api_key(services.vault, workspace)
    return services.recall(workspace.region, key), app.recall_app_id


def look(  # noqa: PLR0913 - the facts of one look, all named
    recall: Recall,
    zoom: ZoomApi,
    *,
    kind: Kind,
    credential_id: UUID | None,
    asks_join: bool = False,
    turn: int = 0,
    token_of: Callable[[], AccessToken] | None = None,
) -> Look:
    """Ask Recall and Zoom; what fails is part of what was seen. Touches no database.

    Args:
        recall: Of the app's workspace.
        zoom: Zoom's API.
        kind: Of the app.
        credential_id: Recall's; nothing is asked without one.
        asks_join: Fetch a join token as well: one more call to Zoom.
        turn: Grows with each look.
        token_of: Fetches the token where Recall does not keep it; may raise
            UpstreamError.
    """
    if credential_id is None:
        return Look(seen=Seen(kind=kind))
    credential = _credential(recall, credential_id)
    if isinstance(credential, UpstreamError):
        return Look(seen=Seen(kind=kind, credential=credential))
    token = _token(token_of or partial(recall.access_token, credential_id))
    user = None if isinstance(token, UpstreamError) else _user(zoom, token)
    seen = Seen(kind=kind, credential=credential, token=token, user=user)
    mappings, join = _mappings(recall, credential_id), None
    if asks_join and isinstance(token, AccessToken) and _is_known(user, kind):
        join = join_tokens.fetch(zoom, token, mappings or [], turn=turn)
    return Look(seen=seen, mappings=mappings, join=join)


def record(session: Session, row: Connection, found: Look, *, now: datetime) -> None:
    """Write what a look brought home to the connection; the caller commits."""
    seen = found.seen
    finding = join_tokens.weigh(row, judge(seen, now=now), found.join, kind=seen.kind)
    finding = removals.weigh(row, finding, now=now)
    row.token_state, row.token_reason = finding.state, finding.reason[:500]
    row.token_evidence, row.token_checked_at = finding.evidence[:300], now
    if isinstance(seen.credential, RecallCredential):
        row.sync_status = _sync_status(seen.credential.meeting_sync_status)
        row.zoom_user_id = seen.credential.user_id or row.zoom_user_id
        row.zoom_account_id = seen.credential.account_id or row.zoom_account_id
    if isinstance(seen.token, AccessToken):
        row.token_expires_at = seen.token.expires_at
    if isinstance(seen.user, ZoomUser):
        _note_profile(row, seen.user, seen.kind, now)
    if found.mappings is not None:
        _note_mappings(session, row, found.mappings, now)
    row.due_at = next_look(
        finding.state, now=now, wait_s=finding.wait_s, spread=_spread(row)
    )
    if row.deauthorized_at is not None and finding.state not in removals.SETTLED:
        row.due_at = min(row.due_at, now + removals.CHECKED_EVERY)
    if _is_syncing(row, now):
        row.due_at = min(row.due_at, now + _SYNC_EVERY)
    session.add(row)
    _note_milestones(session, row, found, now)


def _note_milestones(
    session: Session, row: Connection, found: Look, now: datetime
) -> None:
    """Store what this look was the first to see of the set-up."""
    app_id, kind = row.zoom_app_id, found.seen.kind
    if found.mappings and milestones.is_open(session, app_id, Key.MAPPING):
        first = milestones.mapped(app_id, at=now, connection_id=row.id)
        milestones.keep(session, [first])
    if not milestones.is_open(session, app_id, Key.SCOPES):
        return
    if is_working(row) and isinstance(found.join, JoinToken):
        proof = milestones.proved(app_id, kind, at=now, connection_id=row.id)
        milestones.keep(session, [proof])
    elif row.token_state is TokenState.HEALTHY and _is_young(row, now):
        row.due_at = min(row.due_at, now + _PROVED_EVERY)


def postpone(row: Connection, error: UpstreamError, *, now: datetime) -> None:
    """Leave a connection as it stood, due when it may be asked about again.

    Args:
        row: Nobody could be asked about it.
        error: A 429, Recall's or of our own budgets.
        now: Aware.
    """
    asked = error.retry_after_s
    wait_s = _UNASKED_WAIT_S if asked is None else max(asked, _LEAST_WAIT_S)
    row.due_at = now + timedelta(seconds=wait_s) * (1 + _spread(row) / 5)


def note_pmi(row: Connection, pmi: int, *, at: datetime, by: str) -> bool:
    """Keep a PMI and as of when it is known; tell whether it is another.

    Of another, the one before it is kept, and when and by what it changed.
    """
    row.pmi_seen_at = at
    if row.pmi == pmi:
        return False
    if row.pmi is not None:
        row.previous_pmi, row.pmi_changed_at, row.pmi_changed_by = row.pmi, at, by
    row.pmi = pmi
    return True


def words(error: UpstreamError) -> str:
    """Return what went wrong with what the vendor said, at most 500 characters."""
    said = str(error)
    if error.detail and error.detail not in said:
        said = f"{said.rstrip('.')}: {error.detail}"
    return said[:500]


def _credential(
    recall: Recall, credential_id: UUID
) -> RecallCredential | UpstreamError:
    try:
        return recall.get_credential(credential_id)
    except UpstreamError as error:
        return error


def _token(ask: Callable[[], AccessToken]) -> AccessToken | UpstreamError:
    try:
        return ask()
    except UpstreamError as error:
        return error


def _user(zoom: ZoomApi, token: AccessToken) -> ZoomUser | UpstreamError:
    try:
        return zoom.me(token.token)
    except UpstreamError as error:
        return error


def _is_known(user: ZoomUser | UpstreamError | None, kind: Kind) -> bool:
    """Whether Zoom took the token, though an account's may not read a profile."""
    if isinstance(user, UpstreamError):
        return (
            kind is Kind.ACCOUNT_LEVEL
            and token_states.missing_scopes(user, kind) is not None
        )
    return user is not None


def _mappings(recall: Recall, credential_id: UUID) -> Sequence[Mapping] | None:
    try:
        return recall.mappings(credential=credential_id, limit=MAPPINGS)
    except UpstreamError:
        return None


def _note_profile(row: Connection, user: ZoomUser, kind: Kind, now: datetime) -> None:
    row.zoom_account_id = user.account_id or row.zoom_account_id
    row.display_name = (user.display_name or row.display_name)[:200]
    row.email = (user.email or row.email)[:254]
    row.profile_seen_at = now
    if kind is Kind.ACCOUNT_LEVEL:
        return  # the profile is the admin's; an account has no user id and no PMI
    row.zoom_user_id = row.zoom_user_id or user.id
    if user.pmi is not None:
        note_pmi(row, user.pmi, at=now, by=PROFILE)


def _note_mappings(
    session: Session, row: Connection, found: Sequence[Mapping], now: datetime
) -> None:
    query = select(MeetingMapping).where(col(MeetingMapping.connection_id) == row.id)
    here = {mapping.meeting_id: mapping for mapping in session.exec(query).all()}
    there = {mapping.meeting_id: mapping.synced_at for mapping in found}
    gone = here.keys() - there.keys()
    if gone:
        session.exec(
            delete(MeetingMapping).where(
                col(MeetingMapping.connection_id) == row.id,
                col(MeetingMapping.meeting_id).in_(gone),
            )
        )
    for meeting_id, synced_at in there.items():
        mapping = here.get(meeting_id)
        if mapping is None:
            mapping = MeetingMapping(
                id=new_id(now),
                connection_id=row.id,
                meeting_id=meeting_id,
                synced_at=synced_at,
                seen_at=now,
            )
        mapping.synced_at = synced_at
        session.add(mapping)


def _sync_status(text: str) -> SyncStatus:
    try:
        return SyncStatus(text)
    except ValueError:
        return SyncStatus.UNKNOWN


def _is_syncing(row: Connection, now: datetime) -> bool:
    running = row.sync_status in (SyncStatus.NOT_STARTED, SyncStatus.IN_PROGRESS)
    is_alive = row.token_state is TokenState.HEALTHY
    return running and is_alive and _is_young(row, now)


def _is_young(row: Connection, now: datetime) -> bool:
    return now - (row.reconnected_at or row.connected_at) < _SYNC_IS_WATCHED_FOR


def _spread(row: Connection) -> float:
    # Another number for each connection and each look, and the same one in a test.
    return (row.id.int + row.claim) % _PERCENT / _PERCENT
