"""Tries each app's client ID and secret at Zoom: daily, and at once when doubted.

While a pair is doubted the checks of the app's users stop. With the tokens in Recall a
pair that is right here may still be wrong there, so one user is checked; if Recall gets
no token, it is given the client secret that Zoom accepted. Whoever fails on then has an
authorization that ended.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select

from dashboard.db import leases
from dashboard.models.connection import Connection, TokenState
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import TokenCustody, ZoomApp
from dashboard.services.connections import actions, check
from dashboard.services.facts.acting import Problem
from dashboard.services.facts.zoom_apps import ASKED_EVERY, pair_problem
from dashboard.services.recall_apps import secrets
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import credential_checks

_AT_ONCE = 2
_LEASE = timedelta(minutes=5)
_UNANSWERED = timedelta(minutes=30)


def run_due(runtime: Runtime) -> int:
    """Try the pairs that are due; return how many; commits.

    For the worker, about once a second. Each is claimed, so many workers may run this.
    """
    now = runtime.clock.now()
    with runtime.database.reading() as session:
        ids = session.exec(
            select(ZoomApp.id)
            .where(
                col(ZoomApp.retired_at).is_(None),
                leases.is_due(ZoomApp.pair_due_at, now),
            )
            .order_by(col(ZoomApp.pair_due_at))
            .limit(_AT_ONCE)
        ).all()
    return sum(_run(runtime, app_id, now) for app_id in ids)


def _run(runtime: Runtime, app_id: UUID, now: datetime) -> bool:
    """Claim, try, set when it is tried next; commits."""
    with runtime.database.writing() as session:
        mine, until = col(ZoomApp.id) == app_id, now + _LEASE
        if not leases.claim_due(
            session, ZoomApp, mine, due="pair_due_at", now=now, until=until
        ):
            return False
    credential_checks.check_again(runtime, app_id)
    with runtime.database.reading() as session:
        app = session.get_one(ZoomApp, app_id)
        tried = _to_try(session, app)
    if tried is not None:
        background = runtime.in_background()
        check.run(background, tried)
        # The wrong pair itself may have made Recall call it unhealthy.
        if actions.try_unhealthy(background, tried, is_again=True):
            check.run(background, tried)
    with runtime.database.reading() as session:
        app = session.get_one(ZoomApp, app_id)
        is_recalls = app.token_custody is TokenCustody.RECALL
    if is_recalls and pair_problem(app) is Problem.PAIR_DIFFERS:
        secrets.send_pair(runtime.in_background(), app_id)
    with runtime.database.writing() as session:
        app = session.get_one(ZoomApp, app_id)
        app.pair_due_at = now + _wait(app, now)
        session.add(app)
    return True


def _to_try(session: Session, app: ZoomApp) -> UUID | None:
    """Return whose check shows whether Recall's copy works; None: none is needed."""
    is_recalls = app.token_custody is TokenCustody.RECALL
    if app.pair_doubted_at is None or app.verdict is Verdict.WRONG or not is_recalls:
        return None
    query = (
        select(Connection.id)
        .where(
            col(Connection.zoom_app_id) == app.id,
            col(Connection.token_state) != TokenState.RECONNECT_NEEDED,
        )
        .order_by(col(Connection.token_checked_at))
        .limit(1)
    )
    return session.exec(query).first()


def _wait(app: ZoomApp, now: datetime) -> timedelta:
    """Return how long until the next try: as long again as the doubt has lasted.

    Soon where Zoom did not answer, so that what it said before is not outdated by then.
    """
    if app.pair_doubted_at is None:
        was_asked = app.checked_at is not None and app.checked_at >= now
        is_answered = was_asked and app.verdict is not Verdict.UNKNOWN
        return ASKED_EVERY if is_answered else _UNANSWERED
    lasted = now - max(app.pair_doubted_at, app.client_secret_set_at)
    return min(max(lasted, credential_checks.TRIED_AGAIN_AFTER), ASKED_EVERY)
