"""What a talk with Zoom about a subscription begins with, and what is kept of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from pydantic import SecretStr
from sqlmodel import Session, col, or_, select, update

from dashboard.clients.zoom.subscriptions import Subscriber, Wanted
from dashboard.errors import ConflictError
from dashboard.models.connection import Connection, TokenState
from dashboard.models.zoom_app import Environment, Kind, ZoomApp
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.marketplace import console
from dashboard.services.marketplace.console import Console
from dashboard.services.marketplace.subscription_states import State
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps

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
    """

    zoom_app_id: UUID
    name: str
    environment: Environment
    client_id: str
    client_secret: SecretStr
    client_secret_set_at: datetime
    wanted: Wanted
    subscribers: Sequence[Subscriber]
    subscription_id: str | None
    before: State


def wanted(here: Console) -> Wanted | None:
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
                "Zoom is being asked about this subscription already, so this was not "
                "begun as well. Look again in a moment."
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
    what = wanted(here)
    if what is None:
        raise ConflictError(str(console.problems(here)[0]))
    who = subscribers(session, app)
    if not who:
        raise ConflictError(
            "Nobody has connected to this app yet. Zoom subscribes users and accounts "
            "that have authorised an app, so connect your own account first (step 5). "
            "Nothing was asked of Zoom."
        )
    if len(who) > MOST_USERS:
        raise ConflictError(
            f"More than {MOST_USERS} users are connected, and Zoom takes them ten at a "
            "time. A subscription made in Zoom's console covers everybody who connects "
            "by itself: use that one. Nothing was asked of Zoom."
        )
    return Job(
        zoom_app_id=app.id,
        name=app.name,
        environment=app.environment,
        client_id=app.client_id,
        client_secret=apps.client_secret(runtime.vault, app),
        client_secret_set_at=app.client_secret_set_at,
        wanted=what,
        subscribers=who,
        subscription_id=app.subscription_id,
        before=_known(app),
    )
