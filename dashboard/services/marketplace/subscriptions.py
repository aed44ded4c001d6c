"""Zoom's event subscription by API: made once, read back, compared, mended.

Never two by a double click or a lost answer: one talk at a time for each zoom app, Zoom
is asked first what it has, and a lost answer is settled by asking again. Zoom has no
key that would do this for us (docs/contracts/zoom.md 5.7, checked 2026-11-25).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import SecretStr
from sqlmodel import Session

from dashboard.errors import UpstreamError
from dashboard.models.workspace import Verdict
from dashboard.services.audit import Actor
from dashboard.services.marketplace import (
    console,
    subscription_jobs,
    subscription_states,
)
from dashboard.services.marketplace.console import Console, Problem
from dashboard.services.marketplace.subscription_calls import SubscriptionSync
from dashboard.services.marketplace.subscription_jobs import Job
from dashboard.services.marketplace.subscription_states import Found, Row, State
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps, credential_checks
from dashboard.services.zoom_apps.apps import PairCheck
from dashboard.settings import Settings

__all__ = ["Page", "State", "SubscriptionCheck", "create", "fix", "page", "read"]


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
    state, wanted = subscription_jobs.state_of(app), subscription_jobs.wanted(here)
    rows: Sequence[Row] = []
    if wanted is not None:
        matches = state is State.MATCHES
        rows = (
            subscription_states.matching if matches else subscription_states.expected
        )(wanted)
    return Page(
        console=here,
        problems=console.problems(here),
        state=state,
        reason=app.subscription_reason,
        checked_at=app.subscription_checked_at,
        subscription_id=app.subscription_id,
        rows=rows,
        users=len(subscription_jobs.subscribers(session, app)),
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
    job = subscription_jobs.begin(runtime, zoom_app_id)
    seen, subscription_id = _ask(runtime, job, work)
    subscription_jobs.end(
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
    nothing = subscription_states.expected(job.wanted)
    token = _own_token(runtime, job)
    if isinstance(token, UpstreamError):
        state, reason = subscription_states.refused_token(token)
        return SubscriptionCheck(
            state=state, reason=reason, rows=nothing
        ), job.subscription_id
    talk = SubscriptionSync(runtime.zoom_subscriptions, job, token)
    try:
        found = work(talk)
    except UpstreamError as error:
        state, reason = subscription_states.refused(error, job.before)
        return SubscriptionCheck(
            state=state, reason=reason, rows=nothing
        ), talk.subscription_id
    was_made = talk.subscription_id is not None
    state, reason = subscription_states.judge(job.wanted, found, was_made=was_made)
    seen = SubscriptionCheck(
        state=state,
        reason=reason,
        rows=subscription_states.compare(job.wanted, found),
        overlaps=subscription_states.overlaps(job.wanted, found),
    )
    return seen, talk.subscription_id


def _own_token(runtime: Runtime, job: Job) -> SecretStr | UpstreamError:
    """Ask for the app's own token; what Zoom says is evidence of the pair as well."""
    try:
        token = runtime.zoom_oauth.app_token(
            client_id=job.client_id, client_secret=job.client_secret
        )
    except UpstreamError as error:
        if error.code == "invalid_client":
            where = credential_checks.wrong_pair_advice(job.environment)
            _remember(runtime, job, Verdict.WRONG, where)
        return error
    gave = "Zoom gave the app a token of its own for client ID and client secret."
    _remember(runtime, job, Verdict.RIGHT, gave)
    return token.access_token


def _remember(runtime: Runtime, job: Job, verdict: Verdict, reason: str) -> None:
    pair_check = PairCheck(verdict=verdict, reason=reason, at=runtime.clock.now())
    credential_checks.store_pair_check(
        runtime,
        job.zoom_app_id,
        pair_check,
        of_secret_set_at=job.client_secret_set_at,
    )
