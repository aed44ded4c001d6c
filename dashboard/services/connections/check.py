"""The health check of a connection: claim, commit, ask, record, commit; a lease each.

Two processes never check one connection at once, and a slow one cannot overwrite what a
later one saw. A token is fetched from whoever stores it, used once for Zoom's
`users/me` and, where that is not proved yet, once to fetch a join token; both are
forgotten. Sources: docs/contracts/recall.md 3.5 and 3.7, docs/contracts/zoom.md 4.1;
checked 2026-11-25.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import ParamSpec, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from dashboard.clients.recall.api import Recall
from dashboard.clients.recall.replies import (
    AccessToken,
    CredentialStatus,
    Mapping,
    RecallCredential,
    Stretch,
)
from dashboard.clients.zoom.api import ZoomApi, ZoomUser
from dashboard.db import Database, leases
from dashboard.errors import (
    ConflictError,
    GrantLostError,
    NotFoundError,
    UpstreamError,
)
from dashboard.models.connection import SETTLED, Connection, TokenCause, TokenState
from dashboard.models.held_grant import HeldGrant
from dashboard.models.workspace import Verdict, Workspace
from dashboard.models.zoom_app import Kind, TokenCustody, ZoomApp
from dashboard.services.connections import mappings, members, recording
from dashboard.services.connections.listing import get
from dashboard.services.erasure import erasures
from dashboard.services.grants import grants, own_servers, refreshing
from dashboard.services.host import events
from dashboard.services.recall import workspaces
from dashboard.services.runtime import Runtime
from dashboard.services.setup import checklist
from dashboard.services.setup.steps import StepKey
from dashboard.services.timeline import notes
from dashboard.services.token_states import join_tokens, rules
from dashboard.services.token_states import pace as pacing
from dashboard.services.token_states.pace import Pace
from dashboard.services.token_states.rules import CheckResult, Others
from dashboard.services.zoom_apps import credential_checks, hosts, secret_changes

LEASE = timedelta(minutes=2)
"""Longer than the calls of a check can take with their time-outs."""

_MEETINGS_TRIED = 5
_LEFT_AT_LEAST_S = 330  # more than the left time that a check calls expiring
_WAIT_S = 1.0
_SAME_TIME = timedelta(hours=24)
_NEW_TOKEN = timedelta(minutes=59)  # Zoom's tokens last an hour
_LIST_EVERY = timedelta(days=1)
_AT_ONCE = timedelta(minutes=1)
"""How far apart things were seen that were seen together."""

_FEW_AT = timedelta(minutes=30)  # 1,800 connections
_WEEK = 7

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class CheckRequest:
    """What a check asks besides a token and an API call with it.

    Each costs a call of another of Recall's rate limits, so a routine check asks none.

    Attributes:
        has_record: Recall's record of the credential, even if the token works.
        has_mappings: Recall's list of its meetings: 60 calls a minute for all.
        is_syncing: A sync was under way: the list is read once it is done.
        has_join: A join token of a mapped meeting; one more call to Zoom.
        meetings: Meetings known to be mapped, newest first, for that.
        turn: Grows with each check.
    """

    has_record: bool = True
    has_mappings: bool = True
    is_syncing: bool = False
    has_join: bool = False
    meetings: Sequence[int] = ()
    turn: int = 0


def now(
    runtime: Runtime, connection_id: UUID, *, is_thorough: bool = False
) -> Connection:
    """Check a connection for a person and return it as it is then; commits.

    While another check is under way, returns it as it is.

    Args:
        runtime: All of them.
        connection_id: Which.
        is_thorough: Fetch a join token even if the scopes were proved before, and list
            an account's users even if that was done a moment ago.

    Raises:
        NotFoundError: There is no such connection.
        ConflictError: Its zoom app is not in Recall any more.
        UpstreamError: Recall or Zoom could not say: a 429, an outage, a web page. The
            connection stays as it was last seen and is checked again automatically.
    """
    ask(runtime, connection_id, is_thorough=is_thorough)
    with runtime.database.reading() as session:
        return get(session, connection_id)


def ask(
    runtime: Runtime,
    connection_id: UUID,
    *,
    is_thorough: bool = False,
    is_over: threading.Event | None = None,
) -> CheckResult | None:
    """As `now`, but return what was answered; None while another check is under way."""
    found = run(
        runtime,
        connection_id,
        for_person=True,
        is_thorough=is_thorough,
        is_over=is_over,
    )
    if found is not None:
        refusal = rules.blocking_error(found, now=runtime.clock.now())
        if refusal is not None:
            raise refusal
    return found


def run(  # noqa: PLR0913 - what a check depends on, all named
    runtime: Runtime,
    connection_id: UUID,
    *,
    for_person: bool = False,
    is_thorough: bool = False,
    pace: Pace | None = None,
    is_over: threading.Event | None = None,
) -> CheckResult | None:
    """Claim, ask, record; commits. None while another process checks it.

    Args:
        runtime: All of them; for background work those `in_background()`.
        connection_id: Which.
        for_person: Ask everything: a person waits for it.
        is_thorough: Fetch a join token even if the scopes were proved before.
        pace: How soon the next check comes; counted when left out.
        is_over: Set when nothing may be written any more.

    Raises:
        NotFoundError: There is no such connection.
        ConflictError: Its zoom app is not in Recall any more.
    """
    at = runtime.clock.now()
    if pace is None:
        with runtime.database.reading() as session:
            pace = pacing.current(session)
    with runtime.database.writing() as session:
        claimed = _claim(session, connection_id, now=at)
        if claimed is None:
            return None
        app = session.get_one(ZoomApp, claimed.zoom_app_id)
        recall, _ = workspaces.recall_of(runtime, session, app)
        zoom = hosts.of_connection(session, runtime.zoom, claimed)
        request = _request(
            session, claimed, now=at, is_everything=for_person, pace=pace
        )
        if is_thorough:
            request = replace(request, has_join=True)
        asks_members = app.kind is Kind.ACCOUNT_LEVEL and (
            is_thorough or members.is_due(session, claimed, now=at)
        )
    found = _ask(runtime, recall, zoom, claimed, kind=app.kind, request=request)
    found = replace(found, begun_at=at)
    if _may_be_the_pair(claimed, found, now=at):
        credential_checks.ask_again(runtime, app.id, within=_AT_ONCE)
    listed = members.ask(zoom, found, now=at) if asks_members else None
    if is_over is not None and is_over.is_set():
        return None
    with runtime.database.writing() as session:
        row = _still_claimed(session, claimed)
        if row is not None:
            at = runtime.clock.now()
            found = _about_its_user(session, row, found, now=at)
            found = _beside_others(session, row, found, now=at)
            refusal = rules.blocking_error(found, now=at)
            if refusal is None:
                with notes.watching(session, row, at=at):
                    recording.store(session, row, found, now=at, pace=pace)
                members.store(session, row, listed, now=at)
                erasures.begin_if_confirmed(session, runtime.vault, row, now=at)
                _note_pair(session, row, found, now=at)
                _note_key(session, app, row, found, now=at)
            else:
                recording.postpone(row, refusal, now=at)
            row.lease_until = None
    return found


def _about_its_user(
    session: Session, row: Connection, found: CheckResult, *, now: datetime
) -> CheckResult:
    """Add whose token it should be, and what Zoom said has become of that user."""
    found = replace(found, user_id=row.zoom_user_id)
    is_removed = row.deauthorized_at is not None  # which is borne out, and said, so
    if is_removed or rules.judge(found, now=now).state not in SETTLED:
        return found
    return replace(found, became=notes.last_became(session, row))


def _note_pair(
    session: Session, row: Connection, found: CheckResult, *, now: datetime
) -> None:
    """Doubt the app's pair after one refusal, and trust it after a token.

    Of an app that Zoom has switched off Zoom is asked at once, for all its users.
    """
    if isinstance(found.token, AccessToken):
        is_recalls = row.token_custody is TokenCustody.RECALL
        app = session.get_one(ZoomApp, row.zoom_app_id, populate_existing=True)
        if is_recalls and app.pair_doubted_at is not None:
            credential_checks.trust(session, app, now=now)
        return
    is_refused = row.token_cause is TokenCause.PAIR_REFUSED
    if is_refused or found.others is Others.FAIL:
        credential_checks.doubt(session, row.zoom_app_id, now=now)
    if row.token_cause is TokenCause.APP_DISABLED:  # and so for every other user
        credential_checks.ask_at_once(session, row.zoom_app_id, now=now)


def _note_key(
    session: Session,
    app: ZoomApp,
    row: Connection,
    found: CheckResult,
    *,
    now: datetime,
) -> None:
    """Have the workspace's key tried if this check contradicts what is known of it."""
    workspace = session.get(Workspace, app.workspace_id) if app.workspace_id else None
    if workspace is None:
        return
    is_token = isinstance(found.token, AccessToken)
    works = is_token and row.token_custody is TokenCustody.RECALL
    is_refused = row.token_cause is TokenCause.KEY_REFUSED
    is_wrong = workspace.verdict is Verdict.WRONG
    if (is_wrong and works) or (is_refused and not is_wrong):
        workspaces.doubt(session, workspace.id, now=now)


def _beside_others(
    session: Session, row: Connection, found: CheckResult, *, now: datetime
) -> CheckResult:
    """Add what others of the app get, when Recall gave no token without a known reason.

    It is never the user unless Zoom accepts the app's pair at the same time: else that,
    or an outage of Zoom's, may be the reason. What Recall gave up it has just tried
    again.
    """
    if not _may_be_the_pair(row, found, now=now):
        return found
    if row.token_cause is TokenCause.NOT_THE_APP:  # until a token or a new consent
        return replace(found, others=Others.SETTLED)
    is_marked = _is_given_up(found, now=now)
    if is_marked and not _was_just_tried(row, now=now):
        return found
    app = session.get_one(ZoomApp, row.zoom_app_id, populate_existing=True)
    is_accepted = credential_checks.is_accepted(app, since=now - _AT_ONCE)
    since = None
    if is_accepted and (since := _failing_since(row, found, now=now)):
        # Before the clock was set, ends of tokens and this can't be compared.
        since = max(since, events.last_jump(session, now=now) or since)
    given_at = secret_changes.given_at(session, app.id)
    if given_at and since and given_at >= max(since, app.client_secret_set_at):
        return replace(found, others=Others.GIVEN)
    others = _others(session, row, since=since, now=now)
    if others is None:  # a lone one may be the pair's fault as well
        return replace(found, others=Others.FAIL) if is_marked else found
    return replace(found, others=others)


def _others(
    session: Session, row: Connection, *, since: datetime | None, now: datetime
) -> Others | None:
    """Return what others of the app get; None if nothing of them can be known.

    Several that fail together mean the app; one alone, while others get new tokens, its
    user. Until one of the two was seen, another user's check is made due.

    Args:
        session: Writing.
        row: The one that fails.
        since: When it began to; None if it can't be its user's fault.
        now: Aware.
    """
    others = select(Connection).where(
        col(Connection.zoom_app_id) == row.zoom_app_id,
        col(Connection.id) != row.id,
        col(Connection.token_checked_at) > now - _SAME_TIME,
    )
    no_token = col(Connection.token_cause) == TokenCause.NO_TOKEN
    if session.exec(others.where(no_token).limit(1)).first() is not None:
        return Others.FAIL
    working = others.where(col(Connection.token_state) == TokenState.HEALTHY).limit(1)
    if since is not None:
        is_new = col(Connection.token_expires_at) > since + _NEW_TOKEN
        if session.exec(working.where(is_new)).first() is not None:
            return Others.WORK
    other = session.exec(working.order_by(col(Connection.token_expires_at))).first()
    if other is None:
        return None
    other.due_at = min(other.due_at, now)
    session.add(other)
    return Others.UNKNOWN


def _may_be_the_pair(row: Connection, found: CheckResult, *, now: datetime) -> bool:
    """Whether the pair in Recall, or Zoom, may be why Recall has no token."""
    if row.token_custody is not TokenCustody.RECALL:
        return False
    is_no_token = rules.judge(found, now=now).cause is TokenCause.NO_TOKEN
    return is_no_token or _is_given_up(found, now=now)


def _is_given_up(found: CheckResult, *, now: datetime) -> bool:
    """Whether Recall calls the credential unhealthy, and has no token either."""
    is_marked = rules.judge(found, now=now).state is TokenState.UNHEALTHY_IN_RECALL
    return is_marked and isinstance(found.token, UpstreamError)


def _was_just_tried(row: Connection, *, now: datetime) -> bool:
    tried_at = row.recall_tried_at
    return tried_at is not None and abs(now - tried_at) <= _AT_ONCE


def _failing_since(
    row: Connection, found: CheckResult, *, now: datetime
) -> datetime | None:
    """Return since when it fails so; None if this is seen for the first time."""
    finding = rules.judge(found, now=now)
    before = row.token_state, row.token_cause
    return row.token_since if before == (finding.state, finding.cause) else None


def is_free(at: datetime) -> ColumnElement[bool]:
    """Return the condition of the connections that no check holds."""
    return leases.is_free(Connection.lease_until, at)


def _request(
    session: Session,
    row: Connection,
    *,
    now: datetime,
    is_everything: bool,
    pace: Pace,
) -> CheckRequest:
    """Return what a check asks besides a token: no more than is needed to be sure."""
    is_syncing = row.sync_status in recording.SYNCING
    is_settled = (
        row.recall_status == CredentialStatus.HEALTHY
        and row.token_state is TokenState.HEALTHY
        and row.deauthorized_at is None
    )
    has_join = (
        row.token_state is TokenState.MISSING_SCOPES
        or bool(row.recording_block)
        or join_tokens.is_due(row, now=now)
        or checklist.is_missing(session, row.zoom_app_id, StepKey.SCOPES)
    )
    meetings = mappings.known(session, row.id, limit=_MEETINGS_TRIED)
    is_list_due = not meetings or _is_list_old(row, pace, now)
    is_hopeful = row.token_state in (TokenState.HEALTHY, TokenState.UNKNOWN)
    return CheckRequest(
        has_record=is_everything or is_syncing or not is_settled,
        has_mappings=is_everything or (is_list_due and (is_hopeful or bool(meetings))),
        is_syncing=is_syncing,
        has_join=has_join,
        meetings=meetings,
        turn=row.claim,
    )


def _is_list_old(row: Connection, pace: Pace, now: datetime) -> bool:
    """Whether its meetings should be listed again: some may be mapped no longer.

    Daily; with many connections on one day of the week, since lists share 60 calls a
    minute.
    """
    read_at = row.mappings_seen_at
    if read_at is not None and now - read_at < _LIST_EVERY:
        return False
    return pace.soonest <= _FEW_AT or (row.id.int + now.toordinal()) % _WEEK == 0


def _claim(
    session: Session, connection_id: UUID, *, now: datetime
) -> Connection | None:
    """Claim the connection until `now` + LEASE; None if it is claimed already.

    Raises:
        NotFoundError: There is no such connection.
    """
    is_it = col(Connection.id) == connection_id
    is_mine = leases.claim(session, Connection, is_it, until=now + LEASE, now=now)
    row = get(session, connection_id)
    return row if is_mine else None


def _still_claimed(session: Session, claimed: Connection) -> Connection | None:
    """Return the connection unless it was claimed or renewed since."""
    is_it = col(Connection.id) == claimed.id
    return leases.held(session, Connection, is_it, claim=claimed.claim)


def _ask(  # noqa: PLR0913 - the facts of one check, all named
    runtime: Runtime,
    recall: Recall,
    zoom: ZoomApi,
    row: Connection,
    *,
    kind: Kind,
    request: CheckRequest,
) -> CheckResult:
    """Ask with a token from whoever stores it; commits where it is stored here.

    Of a token that is stored here Recall is always asked for its record: nothing else
    shows that the credential is deleted there. Then, and where Recall does not know the
    credential yet, it is registered.
    """
    if row.token_custody is TokenCustody.RECALL:
        return _asked(
            recall,
            zoom,
            kind=kind,
            credential_id=row.recall_credential_id,
            request=request,
        )
    is_own_server = row.token_custody is TokenCustody.OWN_SERVER
    token_of = own_servers.token if is_own_server else _stored_token
    for _ in range(2):
        error = _registration_error(runtime, row)
        if error is not None:
            return CheckResult(kind=kind, credential=error, is_stored_here=True)
        found = _asked(
            recall,
            zoom,
            kind=kind,
            credential_id=row.recall_credential_id,
            request=replace(request, has_record=True),
            token_of=partial(token_of, runtime, row.id),
        )
        found = replace(found, is_own_server=is_own_server)
        if not recording.is_deleted_at_recall(found):
            break
        row.recall_credential_id = None
    return found


def _asked(  # noqa: PLR0913 - the facts of one check, all named
    recall: Recall,
    zoom: ZoomApi,
    *,
    kind: Kind,
    credential_id: UUID | None,
    request: CheckRequest,
    token_of: Callable[[], AccessToken] | None = None,
) -> CheckResult:
    """Ask Recall and Zoom; what fails is part of the result. Touches no database.

    Args:
        recall: Of the app's workspace.
        zoom: Zoom's API.
        kind: Of the app.
        credential_id: Recall's; nothing is asked without one.
        request: What else is asked.
        token_of: Fetches the token where Recall does not store it; may raise
            UpstreamError.
    """
    if credential_id is None:
        return CheckResult(kind=kind)
    credential: RecallCredential | UpstreamError | None = None
    if request.has_record:
        credential = _tried(recall.get_credential, credential_id)
        if isinstance(credential, UpstreamError):
            return CheckResult(kind=kind, credential=credential)
    token = _tried(token_of or partial(recall.access_token, credential_id))
    user = None if isinstance(token, UpstreamError) else _tried(zoom.me, token.token)
    if credential is None and _needs_record(token, user):
        credential = _tried(recall.get_credential, credential_id)
    mapped: Stretch[Mapping] | UpstreamError | None = None
    join = None
    if _needs_mappings(request, credential):
        mapped = _tried(recall.mappings, credential=credential_id, limit=mappings.MOST)
    if request.has_join and isinstance(token, AccessToken) and _is_known(user, kind):
        meetings = request.meetings
        if isinstance(mapped, Stretch):
            meetings = [one.meeting_id for one in mapped.results]
        join = join_tokens.fetch(zoom, token, meetings, turn=request.turn)
    return CheckResult(
        kind=kind,
        credential=credential,
        is_brief=credential is None,
        is_stored_here=token_of is not None,
        token=token,
        user=user,
        mappings=mapped,
        join=join,
    )


def _stored_token(runtime: Runtime, connection_id: UUID) -> AccessToken:
    """Return the token that is stored here, refreshed if it is time; commits.

    While Zoom's answer to a refresh is outstanding there is none: the access token may
    live beside a refresh token that is dead, and would look healthy.

    Raises:
        UpstreamError: As Zoom says it: "invalid_grant" when the grant is lost.
    """
    try:
        refreshing.settle(runtime, connection_id, wait_s=_WAIT_S)
        refreshing.live_token(runtime, connection_id, at_least_s=_LEFT_AT_LEAST_S)
        with runtime.database.reading() as session:
            row = grants.get(session, connection_id)
    except GrantLostError as error:
        raise _dead(str(error)) from None
    except NotFoundError:
        raise _dead("The dashboard stores no tokens for this connection.") from None
    if row.lost_at is not None:
        raise _dead("Zoom refused to renew it.")
    if row.asked_at is not None:
        raise UpstreamError(
            "Zoom was asked to renew the token; its answer is not known yet.",
            service="Zoom",
            retryable=True,
        )
    access_token = grants.access_token(runtime.vault, row)
    return AccessToken(token=access_token, expires_at=row.expires_at)


def _registration_error(runtime: Runtime, row: Connection) -> UpstreamError | None:
    """Register the connection at Recall unless it is, or its grant is lost; commits.

    Returns:
        Why Recall could not be called, so that nothing can be seen; the next check
        tries again.
    """
    if row.recall_credential_id is not None:
        return None
    is_own_server = row.token_custody is TokenCustody.OWN_SERVER
    if not is_own_server and _is_lost(runtime.database, row.id):
        return None
    register = own_servers.register if is_own_server else grants.register
    try:
        row.recall_credential_id = register(runtime, row.id)
    except UpstreamError as error:
        return error
    except (ConflictError, NotFoundError) as error:
        return UpstreamError(str(error), service="Recall", status=400)
    return None


def _is_lost(database: Database, connection_id: UUID) -> bool:
    with database.reading() as session:
        grant = session.get(HeldGrant, connection_id)
    return grant is None or grant.lost_at is not None


def _dead(why: str) -> UpstreamError:
    return UpstreamError(why, service="Zoom", status=400, code="invalid_grant")


def _tried(ask: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | UpstreamError:
    try:
        return ask(*args, **kwargs)
    except UpstreamError as error:
        return error


def _needs_record(
    token: AccessToken | UpstreamError, user: ZoomUser | UpstreamError | None
) -> bool:
    """Whether Recall's record may explain why it failed."""
    failed = token if isinstance(token, UpstreamError) else user
    return isinstance(failed, UpstreamError) and not rules.tells_nothing(failed)


def _needs_mappings(
    request: CheckRequest, credential: RecallCredential | UpstreamError | None
) -> bool:
    if request.has_mappings or (request.has_join and not request.meetings):
        return True
    if not request.is_syncing or not isinstance(credential, RecallCredential):
        return False
    status = recording.sync_status(credential.meeting_sync_status)
    return status not in recording.SYNCING


def _is_known(user: ZoomUser | UpstreamError | None, kind: Kind) -> bool:
    """Whether Zoom accepted the token, though an account's may not read a profile."""
    if isinstance(user, UpstreamError):
        return (
            kind is Kind.ACCOUNT_LEVEL and rules.missing_scopes(user, kind) is not None
        )
    return user is not None
