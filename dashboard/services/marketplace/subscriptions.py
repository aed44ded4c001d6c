"""Zoom's event subscription via API: create it, read it back, compare it, fix it.

A double click or a lost response never creates two: one run at a time for each zoom
app, Zoom is asked first what it has, and a lost response is settled by asking again.
Zoom has no idempotency key (docs/contracts/zoom.md 5.7, checked 2026-11-25). Zoom
validates the webhook URL during the call; the receiver answers that, in this process
too.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Literal
from uuid import UUID

from pydantic import SecretStr
from sqlmodel import Session, col, or_, select, update

from dashboard.clients.zoom.marketplace import ZoomMarketplace
from dashboard.clients.zoom.subscriptions import (
    MOST_AT_ONCE,
    Subscriber,
    Wanted,
    ZoomSubscription,
    ZoomSubscriptions,
)
from dashboard.errors import ConflictError, UpstreamError
from dashboard.models.connection import Connection, TokenState
from dashboard.models.zoom_app import Environment, Kind, ZoomApp, ZoomCloud
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.marketplace import console, own_token, subscription_rules
from dashboard.services.marketplace.console import Console, Problem
from dashboard.services.marketplace.subscription_rules import BY_API, Found, Row, State
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps, hosts
from dashboard.settings import Settings

MOST_USERS = 200
"""How many users one subscription is kept for; for more the console's is the way."""

_NAME = "Recall.ai: meetings and personal meeting IDs"
_ASKING_LASTS = timedelta(minutes=2)
_SCOPES: dict[Kind, Literal["user", "account"]] = {
    Kind.USER_LEVEL: "user",
    Kind.ACCOUNT_LEVEL: "account",
}


@dataclass(frozen=True, kw_only=True)
class Job:
    """One zoom app's subscription, as wanted and as on record.

    Attributes:
        subscribers: Who connected, the latest first.
        before: The state until now.
        app_id: Zoom's ID of the app; None while it isn't known.
    """

    zoom_app_id: UUID
    name: str
    environment: Environment
    zoom_cloud: ZoomCloud
    client_id: str
    client_secret: SecretStr
    client_secret_set_at: datetime
    wanted: Wanted
    subscribers: Sequence[Subscriber]
    subscription_id: str | None
    before: State
    app_id: str | None = None


def wanted_for(here: Console) -> Wanted | None:
    """Return what the subscription should be; None while its URL is not known."""
    if here.webhook_url is None:
        return None
    return Wanted(
        name=_NAME,
        url=here.webhook_url,
        events=console.EVENTS,
        scope=_SCOPES[here.kind],
    )


def state_of(app: ZoomApp) -> State:
    """Return the state on record."""
    return State(app.subscription_state)


def subscribers(session: Session, app: ZoomApp) -> Sequence[Subscriber]:
    """Return who connected and can subscribe, the latest first, one more than taken."""
    query = select(Connection.zoom_account_id, Connection.zoom_user_id).where(
        col(Connection.zoom_app_id) == app.id,
        col(Connection.zoom_account_id).is_not(None),
        col(Connection.deauthorized_at).is_(None),
        col(Connection.token_state) != TokenState.RECONNECT_NEEDED,
    )
    if app.kind is Kind.USER_LEVEL:
        query = query.where(col(Connection.zoom_user_id).is_not(None))
    newest = query.order_by(col(Connection.connected_at).desc(), col(Connection.id))
    rows = session.exec(newest.limit(MOST_USERS + 1)).all()
    found = [
        Subscriber(
            account_id=account_id or "",
            user_id=user_id if app.kind is Kind.USER_LEVEL else None,
        )
        for account_id, user_id in rows
    ]
    return list(dict.fromkeys(found))


def begin(runtime: Runtime, zoom_app_id: UUID) -> Job:
    """Gather a talk's facts and keep others from talking meanwhile; commits.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: Nothing can be asked yet, or somebody is asking; the sentence
            says what to do.
    """
    with runtime.database.reading() as session:
        job = _open(runtime, session, zoom_app_id)
    now = runtime.clock.now()
    free = or_(
        col(ZoomApp.subscription_state) != State.ASKING,
        col(ZoomApp.subscription_checked_at) < now - _ASKING_LASTS,
    )
    claim = (
        update(ZoomApp)
        .where(col(ZoomApp.id) == zoom_app_id, free)
        .values(subscription_state=State.ASKING, subscription_checked_at=now)
    )
    with runtime.database.writing() as session:
        if session.exec(claim).rowcount == 0:
            raise ConflictError(
                "Someone else is checking this subscription right now. Try again in a "
                "moment."
            )
    return job


def end(  # noqa: PLR0913 - what is kept, all named
    runtime: Runtime,
    job: Job,
    *,
    state: State,
    reason: str,
    subscription_id: str | None,
    act: str,
    actor: Actor,
) -> None:
    """Keep what came of a talk, with its audit entry; commits."""
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        app = apps.get(session, job.zoom_app_id)
        app.subscription_id = subscription_id
        app.subscription_state, app.subscription_reason = state, reason[:300]
        app.subscription_checked_at = now
        session.add(app)
        subject = f"{job.name}: {state.word}"
        if subscription_id is not None:
            subject = f"{subject}, {subscription_id}"
        audit.record(session, actor, f"subscription.{act}", subject=subject, now=now)


def _known(app: ZoomApp) -> State:
    # One that was left asking, by a process that was killed, told us nothing.
    state = state_of(app)
    return State.UNREACHABLE if state is State.ASKING else state


def _open(runtime: Runtime, session: Session, zoom_app_id: UUID) -> Job:
    app = apps.get(session, zoom_app_id)
    here = console.gather(
        session,
        zoom_app_id,
        settings=runtime.settings,
        public_url=runtime.public_url,
    )
    what = wanted_for(here)
    if what is None:
        raise ConflictError(str(console.problems(here)[0]))
    who = subscribers(session, app)
    if not who:
        raise ConflictError(
            "No users are connected to this app yet. Zoom subscribes users and "
            "accounts that have authorized the app, so connect your own account "
            "first. Nothing was requested from Zoom."
        )
    if len(who) > MOST_USERS:
        raise ConflictError(
            f"More than {MOST_USERS} users are connected, and Zoom adds them ten at "
            "a time. Use a subscription created in Zoom's console: it covers "
            "everyone who connects. Nothing was requested from Zoom."
        )
    return Job(
        zoom_app_id=app.id,
        name=app.name,
        environment=app.environment,
        zoom_cloud=app.zoom_cloud,
        client_id=app.client_id,
        client_secret=apps.client_secret(runtime.vault, app),
        client_secret_set_at=app.client_secret_set_at,
        wanted=what,
        subscribers=who,
        subscription_id=app.subscription_id,
        before=_known(app),
        app_id=app.marketplace_app_id,
    )


_LOOKED_AT = 5  # the newest: they are the ones that lack it
_NOT_FOUND, _NO_SUCH_METHOD = 404, 405
_NO_SUCH_SUBSCRIPTION = "1601"


class SubscriptionSync:
    """What is asked of Zoom, one thing after another.

    Every method raises UpstreamError; `subscription_id` is right even then.

    Attributes:
        subscription_id: Of the subscription that is ours; None while there is none.
    """

    def __init__(self, zoom: ZoomSubscriptions, job: Job, token: SecretStr) -> None:
        self._zoom = zoom
        self._job = job
        self._token = token
        self.subscription_id = job.subscription_id

    def read(self) -> Found:
        """Ask what Zoom has for those who connected last."""
        seen: dict[str, ZoomSubscription] = {}
        joined: Counter[str] = Counter()
        who = self._job.subscribers[:_LOOKED_AT]
        for subscriber in who:
            scope = self._job.wanted.scope
            for one in self._zoom.find(self._token, scope, subscriber):
                seen[one.id] = one
                joined[one.id] += 1
        kept = self._ours(list(seen.values()))
        if kept is not None and kept.source == BY_API:
            self.subscription_id = kept.id
        return Found(
            kept=kept,
            joined=0 if kept is None else joined[kept.id],
            asked=len(who),
            others=[one for one in seen.values() if one != kept],
        )

    def create(self) -> Found:
        """Make it unless there is one; one that is on record is joined again first."""
        found = self.read()
        if found.kept is not None:
            return found
        if self.subscription_id is None or not self._join(self.subscription_id):
            self._make(settle=self._made_meanwhile)
            self._join(str(self.subscription_id))
        return self.read()

    def fix(self) -> Found:
        """Make it what it should be; without one there is nothing to mend."""
        found = self.read()
        kept = found.kept
        if kept is None:
            return found if self.subscription_id is None else self.create()
        if kept.source != BY_API:
            return found
        wanted = self._job.wanted
        if kept.scope and kept.scope != wanted.scope:
            self._replace(kept)
        elif kept.url != wanted.url or set(kept.events) != set(wanted.events):
            self._change(kept)
        self._join(str(self.subscription_id))
        for other in found.others:
            if other.url == wanted.url and other.source == BY_API:
                self._zoom.delete(self._token, other.id)
        return self.read()

    def _ours(self, seen: Sequence[ZoomSubscription]) -> ZoomSubscription | None:
        """Return the one on record, else one with our URL, made by API if possible."""
        same = [one for one in seen if one.url == self._job.wanted.url]
        ours = [one for one in seen if one.id == self.subscription_id]
        by_api = [one for one in same if one.source == BY_API]
        return next(iter([*ours, *by_api, *same]), None)

    def _make(self, *, settle: Callable[[], str | None]) -> None:
        first = next(self._batches())
        try:
            made = self._zoom.create(self._token, self._job.wanted, first)
        except UpstreamError as error:
            there = settle() if error.may_have_happened else None
            if there is None:
                raise
            made = there
        self.subscription_id = made

    def _made_meanwhile(self) -> str | None:
        kept = self.read().kept
        return kept.id if kept is not None and kept.source == BY_API else None

    def _change(self, kept: ZoomSubscription) -> None:
        try:
            self._zoom.update(self._token, kept.id, self._job.wanted)
        except UpstreamError as error:
            lacks_it = error.status in {_NOT_FOUND, _NO_SUCH_METHOD}
            if not lacks_it or error.code in {"1701", _NO_SUCH_SUBSCRIPTION}:
                raise
            self._replace(kept)

    def _replace(self, kept: ZoomSubscription) -> None:
        """Make another, then delete this one: better an event twice than not at all."""

        def settle() -> str | None:
            others = self.read().others
            wanted = self._job.wanted
            fitting = (
                one.id
                for one in others
                if one.source == BY_API and one.url == wanted.url
                if set(one.events) == set(wanted.events)
            )
            return next(fitting, None)

        self._make(settle=settle)
        self._zoom.delete(self._token, kept.id)

    def _join(self, subscription_id: str) -> bool:
        """Have all who connected join it; tell whether Zoom has it at all."""
        try:
            for batch in self._batches():
                self._zoom.subscribe(self._token, subscription_id, batch)
        except UpstreamError as error:
            if error.code != _NO_SUCH_SUBSCRIPTION:
                raise
            return False
        return True

    def _batches(self) -> Iterator[Sequence[Subscriber]]:
        """Yield who connected, at most ten of one account at a time."""

        def account(one: Subscriber) -> str:
            return one.account_id

        for _, ones in groupby(sorted(self._job.subscribers, key=account), account):
            yield from _cut(list(ones))


def _cut(ones: Sequence[Subscriber]) -> Iterator[Sequence[Subscriber]]:
    for start in range(0, len(ones), MOST_AT_ONCE):
        yield ones[start : start + MOST_AT_ONCE]


@dataclass(frozen=True, kw_only=True)
class SubscriptionCheck:
    """What came of a talk with Zoom.

    Attributes:
        rows: The comparison.
        overlaps: Sentences on other subscriptions to the same events.
    """

    state: State
    reason: str
    rows: Sequence[Row]
    overlaps: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Page:
    """What is on record, for the page.

    Attributes:
        rows: Empty while the webhook URL is not known.
        users: How many users or accounts would subscribe, as far as they are counted.
    """

    console: Console
    problems: Sequence[Problem]
    state: State
    reason: str
    checked_at: datetime | None
    subscription_id: str | None
    rows: Sequence[Row]
    users: int


def page(
    session: Session, zoom_app_id: UUID, *, settings: Settings, public_url: str
) -> Page:
    """Return what is on record of a zoom app's subscription; asks nobody.

    Raises:
        NotFoundError: There is no such zoom app.
    """
    app = apps.get(session, zoom_app_id)
    here = console.gather(
        session, zoom_app_id, settings=settings, public_url=public_url
    )
    state, wanted = state_of(app), wanted_for(here)
    rows: Sequence[Row] = []
    if wanted is not None:
        matches = state is State.MATCHES
        rows = (
            subscription_rules.matching if matches else subscription_rules.expected
        )(wanted)
    return Page(
        console=here,
        problems=console.problems(here),
        state=state,
        reason=app.subscription_reason,
        checked_at=app.subscription_checked_at,
        subscription_id=app.subscription_id,
        rows=rows,
        users=len(subscribers(session, app)),
    )


def read(runtime: Runtime, zoom_app_id: UUID, *, actor: Actor) -> SubscriptionCheck:
    """Read back what Zoom has and compare; commits what was seen.

    A subscription with our webhook URL that was made by API is taken as ours.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: Nothing can be asked yet, or somebody is asking.
    """
    return _run(runtime, zoom_app_id, SubscriptionSync.read, act="read", actor=actor)


def create(runtime: Runtime, zoom_app_id: UUID, *, actor: Actor) -> SubscriptionCheck:
    """Make the subscription unless Zoom has one with our URL; commits.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: Nothing can be asked yet, or somebody is asking.
    """
    return _run(
        runtime, zoom_app_id, SubscriptionSync.create, act="created", actor=actor
    )


def fix(runtime: Runtime, zoom_app_id: UUID, *, actor: Actor) -> SubscriptionCheck:
    """Make the subscription what it should be, in place or anew; commits.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: Nothing can be asked yet, or somebody is asking.
    """
    return _run(runtime, zoom_app_id, SubscriptionSync.fix, act="mended", actor=actor)


def _run(
    runtime: Runtime,
    zoom_app_id: UUID,
    work: Callable[[SubscriptionSync], Found],
    *,
    act: str,
    actor: Actor,
) -> SubscriptionCheck:
    job = begin(runtime, zoom_app_id)
    seen, subscription_id = _ask(runtime, job, work)
    end(
        runtime,
        job,
        state=seen.state,
        reason=seen.reason,
        subscription_id=subscription_id,
        act=act,
        actor=actor,
    )
    return seen


def _ask(
    runtime: Runtime, job: Job, work: Callable[[SubscriptionSync], Found]
) -> tuple[SubscriptionCheck, str | None]:
    """Do the work; return what came of it, and the id that is ours from now on."""
    nothing = subscription_rules.expected(job.wanted)
    token = own_token.ask(runtime, job)
    if isinstance(token, UpstreamError):
        state, reason = subscription_rules.refused_token(token)
        return SubscriptionCheck(
            state=state, reason=reason, rows=nothing
        ), job.subscription_id
    zoom = hosts.of_cloud(runtime.zoom_subscriptions, job.zoom_cloud)
    talk = SubscriptionSync(zoom, job, token)
    try:
        found = work(talk)
    except UpstreamError as error:
        state, reason = subscription_rules.refused(error, job.before)
        return SubscriptionCheck(
            state=state, reason=reason, rows=nothing
        ), talk.subscription_id
    found = replace(
        found, certificates=_certificates(runtime.zoom_marketplace, job, token)
    )
    was_made = talk.subscription_id is not None
    state, reason = subscription_rules.judge(job.wanted, found, was_made=was_made)
    seen = SubscriptionCheck(
        state=state,
        reason=reason,
        rows=subscription_rules.compare(job.wanted, found),
        overlaps=subscription_rules.overlaps(job.wanted, found),
    )
    return seen, talk.subscription_id


def _certificates(
    marketplace: ZoomMarketplace, job: Job, token: SecretStr
) -> int | None:
    """Return how many certificates the app's events have; None where Zoom won't say.

    They do no harm here, so whatever goes wrong changes nothing.
    """
    if job.app_id is None:
        return None
    zoom = hosts.of_cloud(marketplace, job.zoom_cloud)
    with suppress(UpstreamError):
        return zoom.certificates(token, job.app_id)
    return None
