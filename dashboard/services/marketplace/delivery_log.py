"""Zoom's own log of its deliveries to an app; failures are stored.

Only failed tries to the app's own URLs are kept, without anything of their bodies.
Zoom's answer may take as long as it likes: nothing that Zoom posts waits for it. Read
when asked, and by the worker, once an hour, while a validation is not proven
(docs/decisions/0020-zooms-log-is-read-with-the-apps-own-token.md).
"""

import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import SecretStr
from sqlmodel import Session, and_, col, or_, select, update

from dashboard.clients.http.error_bodies import is_page
from dashboard.clients.zoom.marketplace import Log, LoggedDelivery, ZoomMarketplace
from dashboard.db import Database
from dashboard.db.statements import insert, rows_changed
from dashboard.errors import ConflictError, InvalidInputError, UpstreamError
from dashboard.models.delivery_log import DeliveryLog, FailedDelivery
from dashboard.models.ids import new_id
from dashboard.models.zoom_app import Environment, Routing, ZoomApp, ZoomCloud
from dashboard.services import audit, urls
from dashboard.services.audit import Actor
from dashboard.services.facts import zoom_log
from dashboard.services.facts.zoom_log import SentByZoom
from dashboard.services.marketplace import console, own_token
from dashboard.services.receiver import events
from dashboard.services.receiver.requests import PHRASES
from dashboard.services.runtime import Runtime
from dashboard.services.validation import evidence
from dashboard.services.validation import states as validation
from dashboard.services.zoom_apps import apps, hosts
from dashboard.threads import WorkerThreads

SHOWN = 50
"""Failed tries on the page."""

AUTOMATIC_EVERY = timedelta(hours=1)
"""How often the worker reads the log of one app at most."""

_LOOKED_EVERY = timedelta(minutes=1)
_LOOKED_AT = 500
_AT_ONCE = 2

_DAYS = timedelta(days=1)
"""Read back from now: Zoom's retries end within 90 minutes."""

_PAGES = 10
_STORED = 500
_ASKING_LASTS = timedelta(minutes=2)
_AHEAD = timedelta(minutes=5)
_OK = range(200, 300)
_ID = re.compile(r"[A-Za-z0-9_-]{4,64}", re.ASCII)
_IN_ADDRESS = re.compile(
    r"/app(?:s|lications)/([A-Za-z0-9_-]{4,64})(?![A-Za-z0-9_-])", re.ASCII
)
_SCOPE_MISSING = "4711"


class State(StrEnum):
    """How the last reading ended."""

    ASKING = "asking"
    READ = "read"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"

    @property
    def tone(self) -> str:
        """The status tone."""
        return _TONES[self]

    @property
    def word(self) -> str:
        """The state as a chip has it."""
        return _WORDS[self]


_TONES = {
    State.ASKING: "waiting",
    State.READ: "good",
    State.REFUSED: "off",
    State.UNREACHABLE: "waiting",
}
_WORDS = {
    State.ASKING: "Being read",
    State.READ: "Read",
    State.REFUSED: "Not allowed by Zoom",
    State.UNREACHABLE: "Could not be read",
}


@dataclass(frozen=True, kw_only=True)
class Page:
    """What is stored, for the page.

    Attributes:
        log: None while it was never read.
        failed: Failed tries, newest first.
    """

    app: ZoomApp
    log: DeliveryLog | None
    failed: Sequence[SentByZoom]

    @property
    def state(self) -> State | None:
        """How the last reading ended; None while there was none."""
        return None if self.log is None else State(self.log.state)


def page(session: Session, zoom_app_id: UUID, *, now: datetime) -> Page:
    """Return what is stored; asks nobody.

    Raises:
        NotFoundError: There is no such zoom app.
    """
    app = apps.get(session, zoom_app_id)
    mine = col(FailedDelivery.zoom_app_id) == zoom_app_id
    return Page(
        app=app,
        log=session.get(DeliveryLog, zoom_app_id),
        failed=zoom_log.find(session, mine, now=now, limit=SHOWN),
    )


def save_app_id(
    database: Database, zoom_app_id: UUID, typed: str, *, actor: Actor, now: datetime
) -> None:
    """Store Zoom's ID of the app, also out of its console's address; commits.

    Raises:
        NotFoundError: There is no such zoom app.
        InvalidInputError: It is neither.
    """
    app_id = _app_id(typed)
    with database.writing() as session:
        app = apps.lock(session, zoom_app_id)
        if app.marketplace_app_id == app_id:
            return
        app.marketplace_app_id = app_id
        session.add(app)
        subject = f"{apps.full_name(app)}: {app_id or 'none'}"
        audit.record(
            session, actor, "zoom_app.marketplace_id", subject=subject, now=now
        )


def _app_id(typed: str) -> str | None:
    text = typed.strip()
    found = _IN_ADDRESS.search(text)
    if found is not None:
        return found[1]
    if text and not _ID.fullmatch(text):
        raise InvalidInputError(
            "This is no app ID of Zoom's. Paste the address of the app's page in "
            "Zoom's Marketplace, or the part after /applications/. Nothing was saved.",
            field="app_id",
        )
    return text or None


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a reading works with.

    Attributes:
        app_id: Zoom's.
        ours: Where Zoom posts to the dashboard.
        recalls: Where Zoom posts with routing `direct`; "" while that isn't known.
    """

    zoom_app_id: UUID
    environment: Environment
    zoom_cloud: ZoomCloud
    client_id: str
    client_secret: SecretStr
    client_secret_set_at: datetime
    app_id: str
    ours: str
    recalls: str
    name: str


def read(runtime: Runtime, zoom_app_id: UUID, *, actor: Actor | None) -> State:
    """Read the last day of Zoom's log and store what failed; commits.

    What was stored before stays whatever Zoom answers.

    Args:
        runtime: All of them.
        zoom_app_id: Whose.
        actor: For the audit log; None for the worker, of which there is no entry.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: Zoom's app ID isn't known, or someone is reading.
    """
    job = _begin(runtime, zoom_app_id)
    now, database = runtime.clock.now(), runtime.database
    since = now - _DAYS
    token = own_token.ask(runtime, job)
    log: Log | UpstreamError
    if isinstance(token, UpstreamError):
        log = token
    else:
        zoom = hosts.of_cloud(runtime.zoom_marketplace, job.zoom_cloud)
        log = _ask(zoom, job, token, since=since, until=now)
    if isinstance(log, UpstreamError):
        state, reason = _refused(log)
        _end(database, job, actor, state, reason, now=now)
        return state
    tries = [each for each in log.deliveries if _is_ours(job, each)]
    failed = [each for each in tries if _has_failed(each)]
    rows = [_row(job, each) for each in failed[:_STORED] if each.date_time]
    _store(database, [row for row in rows if row.sent_at <= now + _AHEAD])
    times = [each.date_time for each in tries if each.date_time]
    _end(
        database,
        job,
        actor,
        State.READ,
        "",
        now=now,
        since=since if log.is_whole else min(times, default=None),
        deliveries=len(tries),
        failed=len(failed),
    )
    return State.READ


def _ask(
    zoom: ZoomMarketplace,
    job: Job,
    token: SecretStr,
    *,
    since: datetime,
    until: datetime,
) -> Log | UpstreamError:
    try:
        return zoom.webhook_log(
            token, job.app_id, since=since, until=until, pages=_PAGES
        )
    except UpstreamError as error:
        return error


def _begin(runtime: Runtime, zoom_app_id: UUID) -> Job:
    """Gather what a reading needs and keep others from reading meanwhile; commits."""
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        app = apps.lock(session, zoom_app_id)
        if app.marketplace_app_id is None:
            raise ConflictError(
                "Zoom's app ID is not known yet. Enter it here first: it is in the "
                "address of the app's page in Zoom's Marketplace."
            )
        _claim(session, zoom_app_id, now)
        here = console.gather(
            session,
            zoom_app_id,
            settings=runtime.settings,
            public_url=runtime.public_url,
        )
        ours = urls.webhook_url(runtime.public_url, app.id)
        return Job(
            zoom_app_id=app.id,
            environment=app.environment,
            zoom_cloud=app.zoom_cloud,
            client_id=app.client_id,
            client_secret=apps.client_secret(runtime.vault, app),
            client_secret_set_at=app.client_secret_set_at,
            app_id=app.marketplace_app_id,
            ours=ours,
            recalls="" if here.webhook_url == ours else here.webhook_url or "",
            name=apps.full_name(app),
        )


def _claim(session: Session, zoom_app_id: UUID, now: datetime) -> None:
    first = {"zoom_app_id": zoom_app_id, "tried_at": now, "deliveries": 0, "failed": 0}
    made = insert(session, DeliveryLog).values(**first, state="", reason="")
    session.exec(made.on_conflict_do_nothing())
    is_free = or_(
        col(DeliveryLog.state) != State.ASKING,
        col(DeliveryLog.tried_at) < now - _ASKING_LASTS,
    )
    mine = col(DeliveryLog.zoom_app_id) == zoom_app_id
    claim = update(DeliveryLog).where(mine, is_free)
    claimed = session.exec(claim.values(state=State.ASKING, tried_at=now))
    if rows_changed(claimed) == 0:
        raise ConflictError("Zoom's log is being read. Try again in a moment.")


def _is_ours(job: Job, each: LoggedDelivery) -> bool:
    return bool(each.endpoint) and each.endpoint.rstrip("/") in {job.ours, job.recalls}


def _has_failed(each: LoggedDelivery) -> bool:
    """Whether Zoom took it for failed, as far as the log shows it."""
    if each.status is not None:
        return each.status not in _OK
    return bool(each.failed_reason_type)


def _row(job: Job, each: LoggedDelivery) -> FailedDelivery:
    sent_at = each.date_time
    if sent_at is None:
        raise LookupError("only entries with a time are stored")
    body = each.request_body.encode()
    about = events.parse(body)
    which = each.request_id or each.trace_id or each.endpoint
    told = [which, each.event, f"{each.retry_num or 0}", str(sent_at)]
    return FailedDelivery(
        id=new_id(sent_at),
        zoom_app_id=job.zoom_app_id,
        key=hashlib.sha256(job.zoom_app_id.bytes + "\n".join(told).encode()).digest(),
        dedupe=events.dedupe_key(job.zoom_app_id, body, about) if body else None,
        event=(each.event or about.event)[:80],
        is_to_recall=each.endpoint.rstrip("/") == job.recalls,
        host=(urlsplit(each.endpoint).hostname or "")[:255],
        status=each.status,
        code=each.failed_reason_type,
        answered_by=_answered_by(each),
        zoom_user_id=about.zoom_user_id,
        zoom_account_id=about.zoom_account_id,
        meeting_id=about.meeting_id,
        sent_at=sent_at,
    )


def _answered_by(each: LoggedDelivery) -> str:
    text = each.response_body.strip()
    if is_page(text.encode(), ""):
        return zoom_log.PAGE
    phrase = PHRASES.get(each.status or 0)
    return zoom_log.DASHBOARD if phrase and text == phrase else ""


def _store(database: Database, rows: Sequence[FailedDelivery]) -> None:
    """Store what is new; commits."""
    with database.writing() as session:
        keys = [row.key for row in rows]
        known = set(
            session.exec(
                select(FailedDelivery.key).where(col(FailedDelivery.key).in_(keys))
            )
        )
        new = {row.key: row for row in rows if row.key not in known}
        session.add_all(new.values())


def _refused(error: UpstreamError) -> tuple[State, str]:
    said = f" Zoom said: {error.detail}" if error.detail else ""
    if error.code == _SCOPE_MISSING:
        return State.REFUSED, (
            "The app's own token may not read its delivery log: Zoom gave it no scope "
            f"for that. What is known here stays.{said}"
        )
    is_final = error.status is not None and not error.retryable
    state = State.REFUSED if is_final else State.UNREACHABLE
    return state, f"{error} What is known here stays.{said}"


def _end(  # noqa: PLR0913 - what came of a reading
    database: Database,
    job: Job,
    actor: Actor | None,
    state: State,
    reason: str,
    *,
    now: datetime,
    since: datetime | None = None,
    deliveries: int = 0,
    failed: int = 0,
) -> None:
    """Store what came of a reading; commits."""
    with database.writing() as session:
        row = session.get_one(DeliveryLog, job.zoom_app_id)
        row.state, row.reason = state.value, reason[:500]
        if state is State.READ:
            row.read_at, row.since = now, since
            row.deliveries, row.failed = deliveries, failed
        session.add(row)
        if actor is not None:
            subject = f"{job.name}: {state.word.lower()}"
            audit.record(session, actor, "delivery_log.read", subject=subject, now=now)


class AutomaticReading:
    """The worker's chore: reads the log of apps whose webhooks may not arrive.

    Once an hour at most for each, in threads of its own. Not where Zoom refused the
    last reading: that changes by what an admin does, and the next press shows it.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._threads = WorkerThreads[UUID]("zoom log", at_once=_AT_ONCE)
        self._ran_at: datetime | None = None

    def __call__(self) -> int:
        """Begin the readings that are due; return how many."""
        now = self._runtime.clock.now()
        if self._ran_at is not None and abs(now - self._ran_at) < _LOOKED_EVERY:
            return 0
        self._ran_at = now
        due = due_apps(self._runtime.database, now=now)[: self._threads.room]
        for app_id in due:
            self._threads.begin(app_id, partial(self._read, app_id))
        return len(due)

    def wait(self, patience_s: float) -> None:
        """Return when what was begun has ended, or after so many seconds."""
        self._threads.wait(patience_s)

    def close(self) -> None:
        """Begin no more."""
        self._threads.close()

    def _read(self, app_id: UUID) -> None:
        with suppress(ConflictError):  # someone reads it now
            read(self._runtime, app_id, actor=None)


def due_apps(database: Database, *, now: datetime) -> Sequence[UUID]:
    """Return the apps whose log is to be read automatically, the longest unread first.

    Whose validation is not proven now: of the way from Zoom to the dashboard or, with
    routing direct, to Recall.
    """
    with database.reading() as session:
        is_free = or_(
            col(DeliveryLog.tried_at).is_(None),
            and_(
                col(DeliveryLog.tried_at) <= now - AUTOMATIC_EVERY,
                col(DeliveryLog.state) != State.REFUSED,
            ),
        )
        query = (
            select(ZoomApp)
            .outerjoin(DeliveryLog, col(DeliveryLog.zoom_app_id) == col(ZoomApp.id))
            .where(
                col(ZoomApp.marketplace_app_id).is_not(None),
                col(ZoomApp.retired_at).is_(None),
                is_free,
            )
            .order_by(col(DeliveryLog.tried_at), col(ZoomApp.id))
        )
        return [
            app.id
            for app in session.exec(query.limit(_LOOKED_AT)).all()
            if not _is_proven(session, app, now)
        ]


def _is_proven(session: Session, app: ZoomApp, now: datetime) -> bool:
    seen = evidence.evidence(session, app.id, now=now)
    is_direct = app.routing is Routing.DIRECT
    judged = evidence.recall_status if is_direct else evidence.zoom_status
    return judged(seen, now).state is validation.State.VALID
