"""Contradictions of a proof: silence is noted, and the check that decides is started.

What contradicts a proof ends it at once (`validation.rules`). The self-test and the
test of Recall then run at once, once for each thing that was seen.
"""

from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.models.check import Check, Finding, Source
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.facts import silence
from dashboard.services.validation import evidence, schedule
from dashboard.services.validation.evidence import Evidence, State

EVERY = timedelta(seconds=15)
"""How often the worker looks."""

_TESTS = (Source.OUTSIDE_PROBE, Source.RECALL_PROBE)
_AT_MOST_EVERY = timedelta(minutes=5)


class Contradictions:
    """The worker's chore; many workers may run it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._ran_at: datetime | None = None

    def __call__(self) -> int:
        """Look if it is time; return for how many apps tests were started. Commits."""
        now = self._clock.now()
        if self._ran_at is not None and abs(now - self._ran_at) < EVERY:
            return 0
        self._ran_at = now
        return run_due(self._database, now=now)


def run_due(database: Database, *, now: datetime) -> int:
    """Note silence and start the tests of what is contradicted; commits."""
    with database.reading() as session:
        apps = session.exec(
            select(ZoomApp).where(
                col(ZoomApp.retired_at).is_(None),
                col(ZoomApp.recall_app_id).is_not(None),
            )
        ).all()
        found = [(app, _new_silence(session, app, now)) for app in apps]
    started = 0
    for app, silent in found:
        with database.reading() as session:
            seen = evidence.evidence(session, app.id, now=now)
            is_untested = _is_untested(session, app, seen, now)
        if silent is None and not is_untested:
            continue
        with database.writing() as session:
            if silent is not None:
                evidence.record(
                    session,
                    zoom_app_id=app.id,
                    source=Source.ZOOM_EVENT,
                    finding=Finding.NOT_SEEN,
                    detail=silent.sentence,
                    told_at=silent.since,
                    at=now,
                )
            schedule.make_due(session, app.id, now=now)
        started += 1
    return started


def _new_silence(
    session: Session, app: ZoomApp, now: datetime
) -> silence.Silence | None:
    """Return a silence that is not noted yet; rejected requests are seen anyway.

    None for a day after a correct validation request: events may follow it yet.
    """
    seen = evidence.evidence(session, app.id, now=now)
    found = silence.find(session, app, seen, now=now)
    if found is None or found.is_refused:
        return None
    good = seen.good_challenge
    is_young = good is not None and now - good.at < silence.LEAST
    return None if is_young or seen.silence is not None else found


def _is_untested(session: Session, app: ZoomApp, seen: Evidence, now: datetime) -> bool:
    """Whether something contradicts a proof and no test has run since."""
    states = (evidence.zoom_status(seen, now), evidence.recall_status(seen, now))
    if not any(each.state is State.NOT_PROVEN for each in states):
        return False
    contradicted = (seen.refused, seen.silence, seen.paused)
    times = [each.last_at for each in contradicted if each is not None]
    if seen.restored_at is not None:
        times.append(seen.restored_at)
    if not times:
        return False
    last_at = max(times)
    query = (
        select(Check.at)
        .where(col(Check.zoom_app_id) == app.id, col(Check.source).in_(_TESTS))
        .order_by(col(Check.id).desc())
        .limit(1)
    )
    tested_at = session.exec(query).first()
    if tested_at is None:
        return True
    return tested_at < last_at and now - tested_at >= _AT_MOST_EVERY
