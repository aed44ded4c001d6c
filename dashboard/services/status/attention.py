"""Needs attention: problems a person should fix, one sentence and one action each."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlmodel import Session, col, func, or_, select

from dashboard.errors import VaultError
from dashboard.formatting import duration_words
from dashboard.models.circuit import CircuitKind
from dashboard.models.connection import Connection
from dashboard.models.erasure import Erasure
from dashboard.models.own_server import OwnServer
from dashboard.models.webhook import Mark, Outcome, Webhook
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import Routing, TokenCustody, ZoomApp
from dashboard.services.alert_channels import channels
from dashboard.services.audit import streaming, verifying
from dashboard.services.connect import attempts
from dashboard.services.encryption import ages
from dashboard.services.endpoints import endpoints
from dashboard.services.erasure.erasures import DEADLINE
from dashboard.services.facts import zoom_apps as zoom_app_facts
from dashboard.services.facts.acting import Act, Problem, Who, remedy
from dashboard.services.facts.connections import Shown
from dashboard.services.grants import own_servers
from dashboard.services.heartbeats import heartbeats
from dashboard.services.heartbeats.heartbeats import WorkerStatus
from dashboard.services.host import events
from dashboard.services.recall import callback_signatures
from dashboard.services.relay import circuit
from dashboard.services.relay.results import PAUSED_AFTER
from dashboard.services.rotation import progress
from dashboard.services.status import traffic
from dashboard.services.status.overview import AppOverview
from dashboard.services.zoom_apps import secret_changes
from dashboard.settings import public_url_trouble
from dashboard.vault import Vault

LOOKED_AT = 1000
"""At most so many webhooks are counted; more is written "1,000+"."""

TROUBLE, WAITING, OFF = "trouble", "waiting", "off"
ORDER = [TROUBLE, WAITING, OFF]


@dataclass(frozen=True, kw_only=True)
class Item:
    """One row.

    Attributes:
        tone: "trouble", "waiting" or "off".
        sentence: What is wrong.
        detail: What follows from it; may be empty.
        since: When it began, if known.
        place: Where the next step is done, if not where the problem's is.
        zoom_app_id: What the action is about.
        token_state: Which connections the action is about.
        subject: Which workspace or alert channel it is about, if it is one.
    """

    problem: Problem
    tone: str
    sentence: str
    detail: str = ""
    since: datetime | None = None
    place: Act | None = None
    zoom_app_id: UUID | None = None
    token_state: Shown | None = None
    subject: UUID | None = None

    @property
    def who(self) -> Who:
        """Who must act."""
        return remedy(self.problem).who

    @property
    def next_step(self) -> str:
        """What they should do."""
        return remedy(self.problem).next_step

    @property
    def act(self) -> Act:
        """Where; the page knows its address and its words."""
        return remedy(self.problem).act if self.place is None else self.place


def name(app: ZoomApp) -> str:
    """Name a zoom app within a sentence: "Notetaker (production)"."""
    return f"{app.name} ({app.environment})"


def webhooks(number: int, *, is_more: bool) -> str:
    """Count webhooks within a sentence: "1 webhook", "1,000+ webhooks"."""
    if number == 1:
        return "1 webhook"
    return f"{number:,}{'+' if is_more else ''} webhooks"


_CONNECTIONS = {
    Shown.RECONNECT_NEEDED: (
        Problem.INVALID,
        "{who} of {app} {needs} to reconnect: bots get no token for them any more.",
    ),
    Shown.UNHEALTHY_IN_RECALL: (
        Problem.UNHEALTHY,
        "Recall reports the credential of {who} of {app} as unhealthy.",
    ),
    Shown.MISSING_SCOPES: (
        Problem.MISSING_SCOPES,
        "{who} of {app} {is_} missing required scopes.",
    ),
}


def about_app(session: Session, each: AppOverview, *, now: datetime) -> Iterator[Item]:
    """Yield the problems of one zoom app; none of a retired one."""
    if each.app.retired_at is not None:
        return
    for fact in each.standing.problems:
        yield Item(
            problem=fact.problem,
            tone=fact.tone,
            sentence=f"{name(each.app)}: {fact.sentence}",
            detail=fact.reason,
            since=fact.since,
            zoom_app_id=each.app.id,
        )
    yield from _about_connections(each)
    yield from _about_share(each)
    yield from _about_refused(each)
    yield from _about_lost_attempts(session, each.app, now)
    yield from _about_own_server(session, each.app)


def _about_own_server(session: Session, app: ZoomApp) -> Iterator[Item]:
    if app.token_custody is not TokenCustody.OWN_SERVER:
        return
    row = session.get(OwnServer, app.id)
    said = "" if row is None else own_servers.about_strangers(row)
    if row is not None and said:
        yield Item(
            problem=Problem.OWN_SERVER_STRANGERS,
            tone=TROUBLE,
            sentence=f"{name(app)}: {said}",
            detail="Recall could be given another user's token.",
            since=row.strangers_tested_at,
            zoom_app_id=app.id,
        )


def _about_connections(each: AppOverview) -> Iterator[Item]:
    if each.cause is not None:
        return  # another item says what is wrong with the app; no user can fix it
    if number := each.unknown_for_admin:
        who = "1 connection" if number == 1 else f"{number:,} connections"
        yield Item(
            problem=Problem.UNCHECKABLE,
            tone=TROUBLE,
            sentence=f"{who} of {name(each.app)} can't be checked.",
            zoom_app_id=each.app.id,
            token_state=Shown.UNKNOWN,
        )
    for state, (problem, sentence) in _CONNECTIONS.items():
        number = each.connections[state]
        if number:
            yield Item(
                problem=problem,
                tone=TROUBLE,
                sentence=sentence.format(
                    who="1 user" if number == 1 else f"{number:,} users",
                    app=name(each.app),
                    needs="needs" if number == 1 else "need",
                    is_="is" if number == 1 else "are",
                ),
                place=Act.SEE_CONNECTIONS,
                zoom_app_id=each.app.id,
                token_state=state,
            )


LEAST_HEALTHY = 0.8
"""Below this share of the connections whose state is known, something is amiss."""

FEWEST_CONNECTIONS = 10
"""Of fewer no share is told: each says for itself what is wrong."""

_BROKEN = (Shown.RECONNECT_NEEDED, Shown.UNHEALTHY_IN_RECALL, Shown.MISSING_SCOPES)


def healthy_share(each: AppOverview) -> float | None:
    """Return the share of healthy connections; None of too few that are known."""
    working = each.connections[Shown.HEALTHY] + each.connections[Shown.EXPIRING]
    known = working + sum(each.connections[shown] for shown in _BROKEN)
    return None if known < FEWEST_CONNECTIONS else working / known


def _about_share(each: AppOverview) -> Iterator[Item]:
    share = healthy_share(each)
    if each.cause is not None or share is None or share >= LEAST_HEALTHY:
        return
    worst = max(_BROKEN, key=lambda shown: each.connections[shown])
    yield Item(
        problem=Problem.HEALTHY_SHARE,
        tone=TROUBLE,
        sentence=f"Only {share:.0%} of the connections of {name(each.app)} are "
        "healthy.",
        detail="Those whose state is not known are not counted.",
        zoom_app_id=each.app.id,
        token_state=worst,
    )


MANY_REFUSED = 50
"""So many rejected requests in this hour and the last one are worth a look."""


def refused_lately(each: AppOverview) -> int:
    """Return how many requests were rejected in this hour and the last one."""
    return sum(hour.refused for hour in each.traffic.hours[-2:])


def _about_refused(each: AppOverview) -> Iterator[Item]:
    events, number = each.standing.events, refused_lately(each)
    is_said = events is not None and events.problem is Problem.ALL_REJECTED
    if is_said or number < MANY_REFUSED:
        return
    yield Item(
        problem=Problem.REFUSED_MANY,
        tone=WAITING,
        sentence=f"{number:,} requests for {name(each.app)} were rejected in this hour "
        "and the last one.",
        detail="What is signed correctly is stored and delivered all the same.",
        since=each.traffic.hours[-2].starts_at,
        zoom_app_id=each.app.id,
    )


def _about_lost_attempts(
    session: Session, app: ZoomApp, now: datetime
) -> Iterator[Item]:
    lost = attempts.find_lost(session, app, now=now)
    if lost is not None:
        yield Item(
            problem=Problem.LOST_ATTEMPTS,
            tone=TROUBLE,
            sentence=f"{name(app)}: {lost.sentence}",
            detail="Zoom shows Invalid redirect (4,700) and doesn't send users back.",
            since=lost.since,
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
            problem, later = Problem.WEBHOOK_QUEUED, ""
            if app.id in backlogs and not worker.is_alive:
                tried_at = traffic.last_try(session, app.id)
                problem, later = Problem.NO_WORKER, worker.about_waiting(tried_at)
            yield from _about_backlog(app, backlogs.get(app.id), problem, later, now)
        yield from _about_failed(session, app)


def _about_backlog(
    app: ZoomApp,
    backlog: _Backlog | None,
    problem: Problem,
    later: str,
    now: datetime,
) -> Iterator[Item]:
    if backlog is None:
        return
    if app.recall_app_id is None and app.routing is Routing.RELAY:
        yield Item(
            problem=Problem.WEBHOOK_WAITS_FOR_APP,
            tone=WAITING,
            sentence=f"{backlog.words} for {name(app)} queued: the app is not in "
            "Recall yet.",
            since=backlog.oldest_at,
            zoom_app_id=app.id,
        )
    elif now - backlog.oldest_at > _SLOW:
        yield Item(
            problem=problem,
            tone=WAITING,
            sentence=f"{backlog.words} for {name(app)} not delivered to Recall yet.",
            detail=later,
            since=backlog.oldest_at,
            place=Act.SEE_WAITING,
            zoom_app_id=app.id,
        )


def _about_paused(
    session: Session, paused: Sequence[circuit.PausedDelivery], worker: WorkerStatus
) -> Iterator[Item]:
    later = worker.warning
    for each in paused:
        state, fact = each.state, zoom_app_facts.delivery(each.state)
        wait = webhooks(each.waiting, is_more=each.waiting >= LOOKED_AT)
        is_workspace = state.kind is CircuitKind.WORKSPACE
        if is_workspace:
            where = f"Workspace {session.get_one(Workspace, state.id).name}"
        else:
            where = name(session.get_one(ZoomApp, state.id))
        yield Item(
            problem=fact.problem,
            tone=fact.tone,
            sentence=f"{where}: {fact.sentence.rstrip('.')}, {wait} queued.",
            detail=f"{fact.reason} {later}".strip(),
            since=fact.since,
            place=Act.WORKSPACES if is_workspace else Act.ZOOM_APP,
            zoom_app_id=None if is_workspace else state.id,
            subject=state.id if is_workspace else None,
        )


def _about_failed(session: Session, app: ZoomApp) -> Iterator[Item]:
    dead = traffic.count_failed(session, app.id, at_most=LOOKED_AT)
    if dead:
        number = webhooks(dead, is_more=dead >= LOOKED_AT)
        yield Item(
            problem=Problem.WEBHOOK_FAILED,
            tone=TROUBLE,
            sentence=f"{number} for {name(app)} could not be delivered.",
            detail="Each shows Recall's response.",
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
                problem=Problem.SECRETS_UNSENT,
                tone=line.tone,
                sentence=f"New secrets of {name(app)}: {_lowered(line.title)}.",
                detail=line.detail,
                since=line.at or change.stored_at,
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
        problem=Problem.DELETION_LATE,
        tone=TROUBLE if is_near else WAITING,
        sentence=f"Data of {whose} left is not fully deleted yet.",
        detail=f"Deadline: {deadline_at:%Y-%m-%d %H:%M} UTC.",
        since=since,
    )


def about_endpoints(session: Session) -> Iterator[Item]:
    """Yield endpoints that were paused because they failed for days."""
    for row in endpoints.paused_automatically(session):
        yield Item(
            problem=Problem.ENDPOINT_PAUSED,
            tone=TROUBLE,
            sentence=f"Endpoint {row.host} is paused: nothing succeeded for "
            f"{PAUSED_AFTER.days} days.",
            detail="What it is to get is queued.",
            since=row.paused_at,
            subject=row.id,
        )


def items(  # noqa: PLR0913 - what the page knows, all named
    session: Session,
    apps: Sequence[AppOverview],
    *,
    public_url: str,
    now: datetime,
    worker: WorkerStatus | None = None,
    has_unnamed_proxy: bool = False,
    secret_reminder_days: int = 0,
    vault: Vault | None = None,
) -> Sequence[Item]:
    """Return what needs attention, the worst first.

    Args:
        session: Reading.
        apps: From `overview.list_apps`.
        public_url: The dashboard's public URL.
        now: Aware.
        worker: Whether the background worker runs, if that was read already.
        has_unnamed_proxy: Whether requests come through a proxy that is not trusted.
        secret_reminder_days: From which age on a secret is to be replaced; 0: never.
        vault: To see whether its keys open what is stored.
    """
    worker = worker or heartbeats.find(session, now=now)
    workspaces = session.exec(select(Workspace).order_by(col(Workspace.name))).all()
    holding = {
        each.app.workspace_id
        for each in apps
        if each.app.token_custody is TokenCustody.DASHBOARD
    }
    found = [
        *(_about_worker(worker) if apps else ()),
        *_about_restore(session),
        *_about_audit(session),
        *_about_disk(session),
        *(_about_keys(workspaces, apps, vault) if vault is not None else ()),
        *_about_channels(session, now=now),
        *_about_workspaces(workspaces, now=now),
        *_about_token_calls(
            session, [each for each in workspaces if each.id in holding], now=now
        ),
        *_about_address(public_url),
        *(_about_proxy() if has_unnamed_proxy else ()),
        *_about_secrets(session, secret_reminder_days, now=now),
        *_about_clock(session, now=now),
        *about_webhooks(session, [each.app for each in apps], worker=worker, now=now),
        *about_rotations(session, now=now),
        *about_erasures(session, now=now),
        *about_endpoints(session),
    ]
    for each in apps:
        found += about_app(session, each, now=now)
    return sorted(found, key=lambda item: ORDER.index(item.tone))


def _about_worker(worker: WorkerStatus) -> Iterator[Item]:
    fact = zoom_app_facts.worker(worker)
    if fact is not None:
        yield Item(
            problem=fact.problem,
            tone=fact.tone,
            sentence=fact.sentence,
            detail=fact.reason,
            since=fact.since,
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
    until = f"{stored}until it is set. " if ahead is not None else ""
    yield Item(
        problem=Problem.CLOCK_WRONG,
        tone=TROUBLE,
        sentence=" ".join(found),
        detail=f"{until}What was seen at a time that lies ahead proves nothing and is "
        "checked again.",
        since=since,
        place=Act.NONE if ahead is None else Act.SEE_AHEAD,
    )


def _about_proxy() -> Iterator[Item]:
    yield Item(
        problem=Problem.PROXY_NOT_TRUSTED,
        tone=WAITING,
        sentence="Requests come through a proxy that is not trusted.",
        detail="All sign-ins seem to come from one address, so wrong passwords of one "
        "person make others wait. The audit log shows the proxy's address.",
    )


def _about_secrets(session: Session, days: int, *, now: datetime) -> Iterator[Item]:
    """Yield one item about the keys and secrets that are old."""
    old = ages.old(ages.all_of(session), days=days, now=now) if days else []
    if not old:
        return
    number = "1 key or secret is" if len(old) == 1 else f"{len(old):,} keys and secrets"
    yield Item(
        problem=Problem.SECRETS_OLD,
        tone=WAITING,
        sentence=f"{number} older than {days:,} days."
        if len(old) == 1
        else f"{number} are older than {days:,} days.",
        detail=f"The oldest: {old[0].words}.",
        since=old[0].since + timedelta(days=days),
    )


def _about_audit(session: Session) -> Iterator[Item]:
    """Yield that the audit log was altered, or can't be streamed out."""
    broken = verifying.known_problem(session)
    if broken:
        yield Item(
            problem=Problem.AUDIT_BROKEN,
            tone=TROUBLE,
            sentence=f"The audit log is not whole. {broken}",
            detail="Nothing new is sealed until it is looked into.",
            since=None,
        )
    stream = streaming.problem(session)
    if stream is not None:
        yield Item(
            problem=Problem.AUDIT_STREAM,
            tone=TROUBLE,
            sentence="The audit log can't be written to DASHBOARD_AUDIT_STREAM: "
            f"{stream.problem}.",
            detail="No entry is lost: it goes on where it stopped.",
            since=stream.failed_at,
        )


LEAST_FREE = 500 * 1024 * 1024
"""Bytes that must be free beside the SQLite database."""


def free_bytes(session: Session) -> int | None:
    """Return how many are free where the database is; None on PostgreSQL."""
    place = session.get_bind().engine.url.database
    if session.get_bind().dialect.name != "sqlite" or not place:
        return None
    try:
        return shutil.disk_usage(Path(place).parent).free
    except OSError:
        return None


def _about_disk(session: Session) -> Iterator[Item]:
    free = free_bytes(session)
    if free is not None and free < LEAST_FREE:
        yield Item(
            problem=Problem.DISK_FULL,
            tone=TROUBLE,
            sentence="The disk of the database is almost full: "
            f"{free // 1024**2:,} MB are free.",
            detail="When it is full, webhooks can't be stored and Zoom is answered "
            "503.",
        )


def sealed_by_unknown_key(
    workspaces: Sequence[Workspace], apps: Sequence[AppOverview], vault: Vault
) -> Sequence[str]:
    """Return whose secrets the keys of this process don't open."""
    return [
        *(
            f"the workspace {each.name}"
            for each in workspaces
            if not _opens(vault, each.api_key, "workspace", "api_key", each.id)
        ),
        *(
            name(each.app)
            for each in apps
            if not _opens(
                vault, each.app.secret_token, "zoom_app", "secret_token", each.app.id
            )
        ),
    ]


def _opens(
    vault: Vault, sealed: bytes | None, table: str, column: str, row: UUID
) -> bool:
    try:
        return not sealed or bool(
            vault.open(sealed, table=table, column=column, row=row)
        )
    except VaultError:
        return False


def _about_keys(
    workspaces: Sequence[Workspace], apps: Sequence[AppOverview], vault: Vault
) -> Iterator[Item]:
    found = sealed_by_unknown_key(workspaces, apps, vault)
    if found:
        more = f" and of {len(found) - 1} more" if len(found) > 1 else ""
        yield Item(
            problem=Problem.KEYS_WRONG,
            tone=TROUBLE,
            sentence=f"The secrets of {found[0]}{more} can't be decrypted with this "
            "server's keys.",
            detail="They are stored as they were; nothing was changed.",
        )


def _about_channels(session: Session, *, now: datetime) -> Iterator[Item]:
    """Yield channels of alerts whose messages do not arrive."""
    for channel in channels.failing(session, now=now):
        yield Item(
            problem=Problem.CHANNEL_FAILS,
            tone=TROUBLE,
            sentence=f"Alerts don't arrive through the channel {channel.name}.",
            detail=channel.trouble,
            since=channel.failing_since,
            subject=channel.id,
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
        problem=Problem.RESTORED,
        tone=WAITING,
        sentence=f"The database was restored at {restore.at:%Y-%m-%d %H:%M} UTC from a "
        f"copy{of}. {who} not checked again yet.",
        detail="Who disconnected, whose data was deleted and which secrets changed "
        "after the copy is not known here.",
        since=restore.at,
    )


def _about_workspaces(
    workspaces: Sequence[Workspace], *, now: datetime
) -> Iterator[Item]:
    for workspace in workspaces:
        fact = zoom_app_facts.key(workspace, now=now)
        if fact.tone == TROUBLE:
            yield Item(
                problem=fact.problem,
                tone=fact.tone,
                sentence=fact.sentence,
                detail=fact.reason,
                since=fact.since,
                subject=workspace.id,
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


def _about_token_calls(
    session: Session, workspaces: Sequence[Workspace], *, now: datetime
) -> Iterator[Item]:
    """Yield workspaces whose tokens, stored here, are given to unsigned calls."""
    for workspace in workspaces:
        calls = callback_signatures.calls(session, workspace.id)
        if workspace.verification_secret is None:
            yield Item(
                problem=Problem.CALLS_UNVERIFIED,
                tone=TROUBLE,
                sentence="Token requests to the workspace "
                f"{workspace.name} are not verified.",
                detail="Anyone who learns a token address gets live Zoom tokens.",
                subject=workspace.id,
            )
        elif not workspace.requires_signature:
            yield Item(
                problem=Problem.CALLS_UNSIGNED,
                tone=WAITING,
                sentence="Unsigned token requests are allowed for the workspace "
                f"{workspace.name}.",
                detail="Anyone who learns a token address gets live Zoom tokens.",
                since=calls.unsigned_at,
                subject=workspace.id,
            )
        elif calls.unsigned_at is not None and calls.unsigned_at > now - _RECENT:
            yield Item(
                problem=Problem.CALL_REJECTED,
                tone=TROUBLE,
                sentence="An unsigned token request to the workspace "
                f"{workspace.name} was rejected.",
                detail="If it came from Recall, bots get no tokens. Otherwise someone "
                "knows a token address: replace it on the connection's page.",
                since=calls.unsigned_at,
                subject=workspace.id,
            )


def _about_address(public_url: str) -> Iterator[Item]:
    trouble = public_url_trouble(public_url)
    if trouble is not None:
        yield Item(
            problem=Problem.PUBLIC_URL,
            tone=OFF,
            sentence=f"Zoom won't accept {public_url}.",
            detail=f"Reason: {trouble}. (Expected in the demo.)",
        )
