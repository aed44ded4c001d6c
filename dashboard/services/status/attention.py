"""Needs attention: problems a person should fix, one sentence and one action each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlmodel import Session, col, func, or_, select

from dashboard.formatting import duration_words
from dashboard.models.circuit import CircuitKind
from dashboard.models.connection import Connection
from dashboard.models.erasure import Erasure
from dashboard.models.webhook import Mark, Outcome, Webhook
from dashboard.models.workspace import Verdict, Workspace
from dashboard.models.zoom_app import Routing, TokenCustody, ZoomApp
from dashboard.services.connect import attempts
from dashboard.services.erasure.erasures import DEADLINE
from dashboard.services.facts.connections import Shown
from dashboard.services.heartbeats import heartbeats
from dashboard.services.heartbeats.heartbeats import WorkerStatus
from dashboard.services.host import events
from dashboard.services.recall import callback_signatures
from dashboard.services.relay import circuit
from dashboard.services.rotation import progress
from dashboard.services.status import silence, traffic
from dashboard.services.status.alarms import doubted_detail
from dashboard.services.status.overview import AppOverview
from dashboard.services.status.silence import Silence
from dashboard.services.validation.states import State, ValidationStatus
from dashboard.services.zoom_apps import secret_changes
from dashboard.services.zoom_apps.apps import is_switched_off
from dashboard.settings import public_url_trouble

LOOKED_AT = 1000
"""At most so many webhooks are counted; more is written "1,000+"."""

TROUBLE, WAITING, OFF = "trouble", "waiting", "off"
ORDER = [TROUBLE, WAITING, OFF]


class Action(StrEnum):
    """The one thing to do; the page knows its address and its words."""

    OPEN_APP = "open_app"
    EDIT_APP = "edit_app"
    CREATE_IN_RECALL = "create_in_recall"
    SEE_DEAD = "see_dead"
    SEE_WAITING = "see_waiting"
    SEE_REFUSED = "see_refused"
    SEE_AHEAD = "see_ahead"
    SEE_CONNECTIONS = "see_connections"
    SEE_ATTEMPTS = "see_attempts"
    SEE_ERASURES = "see_erasures"
    OPEN_WORKSPACES = "open_workspaces"
    SET_PUBLIC_URL = "set_public_url"
    NONE = ""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One row.

    Attributes:
        tone: "trouble", "waiting" or "off".
        sentence: What is wrong.
        detail: What follows from it or how to fix it; may be empty.
        since: When it began, if known.
        zoom_app_id: What the action is about.
        token_state: Which connections the action is about.
    """

    tone: str
    sentence: str
    action: Action
    detail: str = ""
    since: datetime | None = None
    zoom_app_id: UUID | None = None
    token_state: Shown | None = None


def name(app: ZoomApp) -> str:
    """Name a zoom app within a sentence: "Notetaker (production)"."""
    return f"{app.name} ({app.environment})"


def webhooks(number: int, *, is_more: bool) -> str:
    """Count webhooks within a sentence: "1 webhook", "1,000+ webhooks"."""
    if number == 1:
        return "1 webhook"
    return f"{number:,}{'+' if is_more else ''} webhooks"


_VALIDATION = {
    State.SECRET_MISMATCH: "Secret token mismatch",
    State.FAILING: "Validation failing",
    State.RECALL_DISAGREES: "Recall disagrees about validation",
    State.OVERDUE: "Validation overdue",
    State.NOT_PROVEN: "Validation not proven",
}
_CONNECTIONS = {
    Shown.RECONNECT_NEEDED: (
        (
            "{who} of {app} {needs} to reconnect: Zoom no longer accepts their "
            "authorization."
        ),
        "Send a reconnect link.",
    ),
    Shown.UNHEALTHY_IN_RECALL: (
        "Recall reports the credential of {who} of {app} as unhealthy.",
        "Press Check now on each. Only if that doesn't help, send a reconnect link.",
    ),
    Shown.MISSING_SCOPES: (
        "{who} of {app} {is_} missing required scopes.",
        "Add the scopes in Zoom, then ask the user to reconnect.",
    ),
}


def about_app(session: Session, each: AppOverview, *, now: datetime) -> Iterator[Item]:
    """Yield the problems of one zoom app; none of a retired one."""
    if each.app.retired_at is not None:
        return
    yield from _about_pair(each.app)
    silent = silence.find(session, each.app, now=now)
    if silent is None or each.status.state is not State.NOT_PROVEN:
        yield from _about_validation(each)
    if silent is not None:
        yield from _about_silence(each, silent)
    yield from _about_connections(each)
    yield from _about_lost_attempts(session, each.app, now)


def _about_pair(app: ZoomApp) -> Iterator[Item]:
    if app.verdict is Verdict.WRONG:
        yield Item(
            tone=TROUBLE,
            sentence=f"Zoom rejects the client ID and client secret of {name(app)}.",
            detail="New users can't connect, and checks of its users are paused until "
            "this is fixed.",
            since=app.verdict_since or app.checked_at,
            action=Action.EDIT_APP,
            zoom_app_id=app.id,
        )
    elif is_switched_off(app):
        yield Item(
            tone=TROUBLE,
            sentence=f"Zoom has switched {name(app)} off in its Marketplace.",
            detail="Activate it there. Until then, new users can't connect and tokens "
            "aren't renewed.",
            since=app.verdict_since or app.checked_at,
            action=Action.OPEN_APP,
            zoom_app_id=app.id,
        )
    elif app.pair_doubted_at is not None:
        yield Item(
            tone=TROUBLE,
            sentence=f"Recall gets no tokens for {name(app)}.",
            detail=doubted_detail(app),
            since=app.pair_doubted_at,
            action=Action.OPEN_APP,
            zoom_app_id=app.id,
        )
    elif app.verdict is Verdict.UNKNOWN:
        yield Item(
            tone=WAITING,
            sentence=f"The client ID and secret of {name(app)} are not verified yet.",
            detail=app.verdict_reason,
            action=Action.OPEN_APP,
            zoom_app_id=app.id,
        )


def _about_validation(each: AppOverview) -> Iterator[Item]:
    status, app = each.status, each.app
    if status.state not in _VALIDATION:
        return
    sentence = f"{_VALIDATION[status.state]}: {name(app)}"
    if status.is_switched_off:
        sentence = f"Zoom has disabled the webhooks of {name(app)}"
    elif status.title:
        sentence = f"{name(app)}: {status.title[:1].lower()}{status.title[1:]}"
    yield Item(
        tone=status.tone,
        sentence=f"{sentence}: {status.count}." if status.failures else f"{sentence}.",
        detail=status.sentence,
        since=status.since,
        action=Action.OPEN_APP,
        zoom_app_id=app.id,
    )


def _about_silence(each: AppOverview, silent: Silence) -> Iterator[Item]:
    if not _explains(each.status, silent):
        yield Item(
            tone=TROUBLE,
            sentence=f"{name(each.app)}: {silent.sentence}",
            detail=silent.detail,
            since=silent.since,
            action=Action.SEE_REFUSED if silent.is_refused else Action.OPEN_APP,
            zoom_app_id=each.app.id,
        )


def _explains(status: ValidationStatus, silent: Silence) -> bool:
    """Whether the item about validation already says why no events arrive."""
    is_mismatch = status.state is State.SECRET_MISMATCH and status.failures > 0
    return status.is_switched_off or (silent.is_refused and is_mismatch)


def _about_connections(each: AppOverview) -> Iterator[Item]:
    if each.cause is not None:
        # Another item says what is wrong with the app; no user can fix it.
        if each.app.recall_app_id is None and each.connected:
            yield Item(
                tone=TROUBLE,
                sentence=f"{name(each.app)} is not in Recall, so none of its users' "
                "meetings get a token.",
                detail=f"No user has to act. {each.cause.next_step}",
                action=Action.CREATE_IN_RECALL,
                zoom_app_id=each.app.id,
            )
        return
    if number := each.unknown_for_admin:
        who = "1 connection" if number == 1 else f"{number:,} connections"
        yield Item(
            tone=TROUBLE,
            sentence=f"{who} of {name(each.app)} can't be checked.",
            detail="An admin must act: each connection says what to fix.",
            action=Action.SEE_CONNECTIONS,
            zoom_app_id=each.app.id,
            token_state=Shown.UNKNOWN,
        )
    for state, (sentence, detail) in _CONNECTIONS.items():
        number = each.connections[state]
        is_apps = each.app.pair_doubted_at is not None
        if is_apps and state is Shown.UNHEALTHY_IN_RECALL:
            continue  # the errors were the app's
        if number:
            yield Item(
                tone=TROUBLE,
                sentence=sentence.format(
                    who="1 user" if number == 1 else f"{number:,} users",
                    app=name(each.app),
                    needs="needs" if number == 1 else "need",
                    is_="is" if number == 1 else "are",
                ),
                detail=detail,
                action=Action.SEE_CONNECTIONS,
                zoom_app_id=each.app.id,
                token_state=state,
            )


def _about_lost_attempts(
    session: Session, app: ZoomApp, now: datetime
) -> Iterator[Item]:
    lost = attempts.find_lost(session, app, now=now)
    if lost is not None:
        yield Item(
            tone=TROUBLE,
            sentence=f"{name(app)}: {lost.sentence}",
            detail="Zoom shows Invalid redirect (4,700) and doesn't send users back.",
            since=lost.since,
            action=Action.SEE_ATTEMPTS,
            zoom_app_id=app.id,
        )


_SLOW = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class _Backlog:
    count: int
    oldest_at: datetime

    @property
    def words(self) -> str:
        return webhooks(self.count, is_more=self.count >= LOOKED_AT)


def about_webhooks(
    session: Session, apps: Sequence[ZoomApp], *, worker: WorkerStatus, now: datetime
) -> Iterator[Item]:
    """Yield the problems with webhooks; a paused delivery is one item."""
    backlogs = _backlogs(session)
    paused = circuit.list_paused(session, at_most=LOOKED_AT)
    yield from _about_paused(session, paused, worker)
    paused_ids = {each.state.id for each in paused}
    for app in apps:
        if not paused_ids & {app.id, app.workspace_id}:
            later = "They are queued and retried automatically."
            if app.id in backlogs and not worker.is_alive:
                tried_at = traffic.last_try(session, app.id)
                later = worker.about_waiting(tried_at)
            yield from _about_backlog(app, backlogs.get(app.id), later, now)
        yield from _about_failed(session, app)


def _about_backlog(
    app: ZoomApp, backlog: _Backlog | None, later: str, now: datetime
) -> Iterator[Item]:
    if backlog is None:
        return
    if app.recall_app_id is None and app.routing is Routing.RELAY:
        yield Item(
            tone=WAITING,
            sentence=f"{backlog.words} for {name(app)} queued: the app is not in "
            "Recall yet.",
            detail="They will be sent as soon as it is created there.",
            since=backlog.oldest_at,
            action=Action.CREATE_IN_RECALL,
            zoom_app_id=app.id,
        )
    elif now - backlog.oldest_at > _SLOW:
        yield Item(
            tone=WAITING,
            sentence=f"{backlog.words} for {name(app)} not delivered to Recall yet.",
            detail=later,
            since=backlog.oldest_at,
            action=Action.SEE_WAITING,
            zoom_app_id=app.id,
        )


def _about_paused(
    session: Session, paused: Sequence[circuit.PausedDelivery], worker: WorkerStatus
) -> Iterator[Item]:
    later = worker.warning or (
        "The webhooks are queued and will be sent automatically once a test delivery "
        "succeeds."
    )
    for each in paused:
        state = each.state
        wait = webhooks(each.waiting, is_more=each.waiting >= LOOKED_AT)
        is_workspace = state.kind is CircuitKind.WORKSPACE
        if is_workspace:
            where = f"the workspace {session.get_one(Workspace, state.id).name}"
        else:
            where = name(session.get_one(ZoomApp, state.id))
        yield Item(
            tone=TROUBLE,
            sentence=f"Delivery to Recall is paused for {where}: {wait} queued.",
            detail=f"{state.reason} {later}",
            since=state.since,
            action=Action.OPEN_WORKSPACES if is_workspace else Action.OPEN_APP,
            zoom_app_id=None if is_workspace else state.id,
        )


def _about_failed(session: Session, app: ZoomApp) -> Iterator[Item]:
    dead = traffic.count_failed(session, app.id, at_most=LOOKED_AT)
    if dead:
        number = webhooks(dead, is_more=dead >= LOOKED_AT)
        yield Item(
            tone=TROUBLE,
            sentence=f"{number} for {name(app)} could not be delivered.",
            detail="Open each to see Recall's response. An admin can resend them.",
            action=Action.SEE_DEAD,
            zoom_app_id=app.id,
        )


def _backlogs(session: Session) -> dict[UUID, _Backlog]:
    oldest = (
        select(Webhook.zoom_app_id, Webhook.received_at)
        .where(col(Webhook.outcome) == Outcome.WAITING)
        .order_by(col(Webhook.id))
        .limit(LOOKED_AT)
        .subquery()
    )
    query = select(
        oldest.c.zoom_app_id, func.count(), func.min(oldest.c.received_at)
    ).group_by(oldest.c.zoom_app_id)
    return {
        app_id: _Backlog(count=number, oldest_at=at)
        for app_id, number, at in session.exec(query)
    }


_LONG = timedelta(minutes=10)


def about_rotations(session: Session, *, now: datetime) -> Iterator[Item]:
    """Yield changes of secrets that stopped half-way, and why."""
    for change in secret_changes.under_way(session):
        app = session.get_one(ZoomApp, change.zoom_app_id)
        shown = progress.card(session, app, now=now)
        for line in shown.lines if shown is not None else ():
            is_slow = line.key == "recall" and line.tone == WAITING
            if line.tone != TROUBLE and not (
                is_slow and _is_old(change.stored_at, now)
            ):
                continue
            yield Item(
                tone=line.tone,
                sentence=f"New secrets of {name(app)}: {_lowered(line.title)}.",
                detail=line.detail,
                since=line.at or change.stored_at,
                action=Action.OPEN_APP,
                zoom_app_id=app.id,
            )


def _is_old(at: datetime, now: datetime) -> bool:
    return now - at > _LONG


def _lowered(title: str) -> str:
    # "Recall" and "Zoom" are names.
    return (
        title if title.startswith(("Recall", "Zoom")) else title[0].lower() + title[1:]
    )


def about_erasures(session: Session, *, now: datetime) -> Iterator[Item]:
    """Yield data deletions that failed, or of which half the time is over."""
    owed = or_(
        col(Erasure.recall_done_at).is_(None), col(Erasure.here_done_at).is_(None)
    )
    late = or_(
        col(Erasure.trouble) != "", col(Erasure.deadline_at) <= now + DEADLINE / 2
    )
    number, deadline_at, since = session.exec(
        select(
            func.count(),
            func.min(Erasure.deadline_at),
            func.min(Erasure.removed_at),
        ).where(col(Erasure.ended_at).is_(None), owed, late)
    ).one()
    if not number:
        return
    is_near = deadline_at <= now + DEADLINE / 2
    whose = "a user who" if number == 1 else f"{number:,} users who"
    yield Item(
        tone=TROUBLE if is_near else WAITING,
        sentence=f"Data of {whose} left is not fully deleted yet.",
        detail=f"Deadline: {deadline_at:%Y-%m-%d %H:%M} UTC.",
        since=since,
        action=Action.SEE_ERASURES,
    )


def items(
    session: Session, apps: Sequence[AppOverview], *, public_url: str, now: datetime
) -> Sequence[Item]:
    """Return what needs attention, the worst first.

    Args:
        session: Reading.
        apps: From `overview.list_apps`.
        public_url: The dashboard's public URL.
        now: Aware.
    """
    worker = heartbeats.find(session, now=now)
    found = [
        *(_about_worker(worker) if apps else ()),
        *_about_restore(session),
        *_about_workspaces(session),
        *_about_token_calls(session, now=now),
        *_about_address(public_url),
        *_about_clock(session, now=now),
        *about_webhooks(session, [each.app for each in apps], worker=worker, now=now),
        *about_rotations(session, now=now),
        *about_erasures(session, now=now),
    ]
    for each in apps:
        found += about_app(session, each, now=now)
    return sorted(found, key=lambda item: ORDER.index(item.tone))


def _about_worker(worker: WorkerStatus) -> Iterator[Item]:
    if not worker.is_alive:
        yield Item(
            tone=TROUBLE,
            sentence=worker.sentence,
            detail="Webhooks are taken and stored, but not sent to Recall, and no "
            f"connection is checked. {worker.step}",
            since=worker.last_at,
            action=Action.NONE,
        )


def _about_clock(session: Session, *, now: datetime) -> Iterator[Item]:
    """Yield one item about clocks: ours was set or is slow, or a worker's is ahead."""
    jumps, ahead = events.jumps(session, now=now), _dated_ahead(session, now)
    workers = heartbeats.ahead(session, now=now)
    found, since = [], None
    if ahead is not None:
        by_s, since = ahead
        found.append(
            "This server's clock is slow: Zoom's webhooks are dated "
            f"{duration_words(by_s)} ahead."
        )
    if jumps:
        jump, since = jumps[0], since or jumps[0].at
        way = "back" if jump.seconds < 0 else "ahead"
        found.append(
            f"This server's clock was set {way} by {duration_words(abs(jump.seconds))} "
            f"at {jump.at:%Y-%m-%d %H:%M} UTC."
        )
    found += [f"The clock of the worker {name} is ahead." for name in workers]
    if not found:
        return
    stored = "Webhooks are stored and delivered; Zoom's validation requests fail "
    until = f"{stored}until then. " if ahead is not None else ""
    yield Item(
        tone=TROUBLE,
        sentence=" ".join(found),
        detail=f"The operator of this server sets its clock (NTP). {until}What was "
        "seen at a time that lies ahead proves nothing and is checked again.",
        since=since,
        action=Action.NONE if ahead is None else Action.SEE_AHEAD,
    )


def _about_restore(session: Session) -> Iterator[Item]:
    """Yield that a copy was restored, until every connection was checked again."""
    restore = events.last_restore(session)
    if restore is None:
        return
    checked_at = col(Connection.token_checked_at)
    left = (
        select(Connection.id)
        .join(ZoomApp, col(ZoomApp.id) == col(Connection.zoom_app_id))
        .where(
            or_(checked_at.is_(None), checked_at < restore.at),
            col(ZoomApp.recall_app_id).is_not(None),
            col(ZoomApp.retired_at).is_(None),
        )
        .limit(LOOKED_AT)
    )
    number = session.exec(select(func.count()).select_from(left.subquery())).one()
    if not number:
        return
    more = "+" if number >= LOOKED_AT else ""
    who = "1 connection was"
    if number > 1:
        who = f"{number:,}{more} connections were"
    of = (
        ""
        if restore.about_at is None
        else f" with data up to {restore.about_at:%Y-%m-%d %H:%M} UTC"
    )
    yield Item(
        tone=WAITING,
        sentence=f"The database was restored at {restore.at:%Y-%m-%d %H:%M} UTC from a "
        f"copy{of}. {who} not checked again yet.",
        detail="Who disconnected, whose data was deleted and which secrets changed "
        "after the copy is not known here. Compare the secrets with Zoom, and delete "
        "again what was deleted.",
        since=restore.at,
        action=Action.NONE,
    )


def _about_workspaces(session: Session) -> Iterator[Item]:
    wrong = col(Workspace.verdict) == Verdict.WRONG
    for workspace in session.exec(select(Workspace).where(wrong)):
        yield Item(
            tone=TROUBLE,
            sentence=f"Recall rejects the API key of the workspace {workspace.name}.",
            detail=workspace.verdict_reason,
            since=workspace.checked_at,
            action=Action.OPEN_WORKSPACES,
        )


def _dated_ahead(session: Session, now: datetime) -> tuple[float, datetime] | None:
    """Return how far Zoom's webhooks are dated ahead, in seconds, and since when.

    None as soon as one came that is on time.
    """
    newest = select(Webhook.id, Webhook.received_at, Webhook.sent_at_s).where(
        col(Webhook.timing) == Mark.CLOCK
    )
    found = session.exec(newest.order_by(col(Webhook.id).desc()).limit(1)).first()
    if found is None or found[1] < now - _RECENT:
        return None
    webhook_id, received_at, sent_at_s = found
    on_time = select(Webhook.id).where(
        col(Webhook.id) > webhook_id, col(Webhook.timing).is_(None)
    )
    if session.exec(on_time.limit(1)).first() is not None:
        return None
    return sent_at_s - received_at.timestamp(), received_at


_RECENT = timedelta(days=1)


def _about_token_calls(session: Session, *, now: datetime) -> Iterator[Item]:
    """Yield workspaces whose tokens, stored here, are given to unsigned calls."""
    query = (
        select(Workspace)
        .join(ZoomApp, col(ZoomApp.workspace_id) == col(Workspace.id))
        .where(
            col(ZoomApp.token_custody) == TokenCustody.DASHBOARD,
            col(ZoomApp.retired_at).is_(None),
        )
        .order_by(col(Workspace.name))
    )
    for workspace in {each.id: each for each in session.exec(query)}.values():
        calls = callback_signatures.calls(session, workspace.id)
        if workspace.verification_secret is None:
            yield Item(
                tone=TROUBLE,
                sentence="Token requests to the workspace "
                f"{workspace.name} are not verified.",
                detail="Anyone who learns a token address gets live Zoom tokens. "
                "Create a verification secret in Recall and save it in the workspace.",
                action=Action.OPEN_WORKSPACES,
            )
        elif not workspace.requires_signature:
            yield Item(
                tone=WAITING,
                sentence="Unsigned token requests are allowed for the workspace "
                f"{workspace.name}.",
                detail="Anyone who learns a token address gets live Zoom tokens. "
                "Turn on the signature requirement in the workspace.",
                since=calls.unsigned_at,
                action=Action.OPEN_WORKSPACES,
            )
        elif calls.unsigned_at is not None and calls.unsigned_at > now - _RECENT:
            yield Item(
                tone=TROUBLE,
                sentence="An unsigned token request to the workspace "
                f"{workspace.name} was rejected.",
                detail="If it came from Recall, bots get no tokens: check that the "
                "verification secret exists in Recall. Otherwise someone knows a token "
                "address: replace it on the connection's page.",
                since=calls.unsigned_at,
                action=Action.OPEN_WORKSPACES,
            )


def _about_address(public_url: str) -> Iterator[Item]:
    trouble = public_url_trouble(public_url)
    if trouble is not None:
        yield Item(
            tone=OFF,
            sentence=f"Zoom won't accept {public_url}.",
            detail=f"Reason: {trouble}. Set DASHBOARD_PUBLIC_URL to a public HTTPS "
            "host name. (Expected in the demo.)",
            action=Action.SET_PUBLIC_URL,
        )
