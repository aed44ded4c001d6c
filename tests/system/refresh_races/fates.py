"""What happens to the two, each drawn by lot."""

import random
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from dashboard.models.connection import Connection
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.services.grants import grants
from dashboard.services.grants.refresh_claims import ANSWERS_WITHIN, LEASE
from tests.fixtures.grants import a_pair
from tests.system.refresh_races.racer import Task
from tests.system.refresh_races.stage import RaceStage, Runner, late, slow

_WITHIN_S = 20.0

Fate = Callable[[RaceStage, Runner, random.Random], None]


def _together(stage: RaceStage, runner: Runner, draw: random.Random) -> None:
    if draw.random() < 0.5:
        stage.strike(late(draw.uniform(0.05, 0.3)))
    _both(stage, runner)


def _delayed(stage: RaceStage, runner: Runner, draw: random.Random) -> None:
    """The winner's answer comes after the other has claimed, and was refused."""
    stage.strike(late(draw.uniform(0.3, 0.6)))
    first, second = stage.racers
    first.begin(Task(connection_id=runner.connection_id))
    _until_zoom_acted(stage, runner)
    second.begin(_later(runner, draw))
    second.end()
    first.end()


def _overtaken(stage: RaceStage, runner: Runner, draw: random.Random) -> None:
    """The first request reaches Zoom after the second one, which got the pair."""
    stage.strike(slow(draw.uniform(0.3, 0.6)))
    first, second = stage.racers
    first.begin(Task(connection_id=runner.connection_id))
    _until(lambda: stage.grant(runner).asked_at is not None)
    time.sleep(0.05)
    second.begin(_later(runner, draw))
    second.end()
    first.end()


def _lost(stage: RaceStage, runner: Runner, draw: random.Random) -> None:
    kinds = [FaultKind.LOST_ANSWER, FaultKind.HALF_ANSWER, FaultKind.EMPTY]
    kinds += [FaultKind.DOWN, FaultKind.UNAVAILABLE, FaultKind.RATE_LIMITED]
    stage.strike(Fault(kind=draw.choice(kinds)))
    if draw.random() < 0.5:
        _both(stage, runner)
        return
    first, second = stage.racers
    first.begin(Task(connection_id=runner.connection_id))
    first.end()
    second.begin(_later(runner, draw))
    second.end()


def _killed_after_zoom(stage: RaceStage, runner: Runner, draw: random.Random) -> None:
    stage.strike(late(0.5))
    first, second = stage.racers
    first.begin(Task(connection_id=runner.connection_id))
    _until_zoom_acted(stage, runner)
    first.kill()
    second.begin(_later(runner, draw))
    second.end()


def _killed_before_zoom(stage: RaceStage, runner: Runner, draw: random.Random) -> None:
    """The request is on its way, or Zoom never gets it."""
    stage.strike(draw.choice([slow(0.3), Fault(kind=FaultKind.DOWN)]))
    first, second = stage.racers
    first.begin(Task(connection_id=runner.connection_id))
    _until(lambda: stage.grant(runner).asked_at is not None)
    first.kill()
    second.begin(_later(runner, draw))
    second.end()


def _killed_anywhere(stage: RaceStage, runner: Runner, draw: random.Random) -> None:
    """At any instant, the one between Zoom's answer and the commit among them."""
    first, second = stage.racers
    first.begin(Task(connection_id=runner.connection_id))
    time.sleep(draw.uniform(0.0, 0.08))
    first.kill()
    second.begin(_later(runner, draw))
    second.end()


def _reconnected(stage: RaceStage, runner: Runner, draw: random.Random) -> None:
    """The user consents anew while an answer is on its way."""
    stage.strike(late(draw.uniform(0.3, 0.5)))
    first, second = stage.racers
    first.begin(Task(connection_id=runner.connection_id))
    _until_zoom_acted(stage, runner)
    asked_at = stage.clock.now()
    tokens = a_pair(stage.stage, runner.user)
    if draw.random() < 0.5:
        second.begin(_later(runner, draw))  # refused, for the consent ended it
        second.end()
    with stage.runtime.database.writing() as session:
        row = grants.get(session, runner.connection_id)
        grants.put(
            session,
            stage.runtime.vault,
            row,
            tokens,
            asked_at=asked_at,
            now=stage.clock.now(),
        )
        row.lease_until = None
        row.claim += 1
        session.get_one(Connection, runner.connection_id).claim += 1
    first.end()


FATES: Mapping[str, Fate] = {
    "at once": _together,
    "answer delayed past the lease": _delayed,
    "request overtaken": _overtaken,
    "answer lost, or trouble at Zoom": _lost,
    "killed after Zoom answered": _killed_after_zoom,
    "killed before Zoom acted": _killed_before_zoom,
    "killed at any instant": _killed_anywhere,
    "reconnected meanwhile": _reconnected,
}
LOSES_NOTHING = frozenset(
    {
        "at once",
        "answer delayed past the lease",
        "request overtaken",
        "reconnected meanwhile",
    }
)
"""In these every answer of Zoom reaches somebody, so the grant has to live."""


def _both(stage: RaceStage, runner: Runner) -> None:
    for racer in stage.racers:
        racer.begin(Task(connection_id=runner.connection_id))
    for racer in stage.racers:
        racer.end()


def _later(runner: Runner, draw: random.Random) -> Task:
    """Return a refresh as of now, as of before or as of after the lease's end."""
    ahead = draw.choice([timedelta(0), ANSWERS_WITHIN, LEASE, 2 * LEASE])
    return Task(connection_id=runner.connection_id, ahead=ahead, patience_s=0.2)


def _until_zoom_acted(stage: RaceStage, runner: Runner) -> None:
    _until(lambda: stage.rotated(runner) > 1)


def _until(is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + _WITHIN_S
    while not is_so():
        if time.monotonic() > ends:
            raise TimeoutError
        time.sleep(0.002)
