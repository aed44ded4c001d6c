"""Each situation that once made a page untrue, read while the clock moves.

Hours pass, and days; the host's clock goes ahead and is put right, falls behind and is
put right. After each move every page is judged, and what the situation is about must
be said still.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from dashboard.db import Database
from tests.independent import reading
from tests.independent.browser import Browser, words
from tests.independent.model import Model, worlds
from tests.independent.oracle import Person
from tests.independent.reading import Said
from tests.independent.stage import a_stage
from tests.independent.world import Outage

pytestmark = pytest.mark.usefixtures("real_heartbeats")

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(kw_only=True)
class Told:
    """What the pages say now, of one situation.

    Attributes:
        model: A dashboard's life.
        someone: Whom the situation is about.
        before: What a situation noted when it began.
    """

    model: Model
    someone: Person
    before: str = ""

    @property
    def needs_attention(self) -> str:
        return " ".join(self._overview.items)

    @property
    def card(self) -> Said:
        return self._overview.status

    @property
    def _overview(self) -> reading.Overview:
        return reading.overview(self._browser, self.model.judge.app_id)

    @property
    def _browser(self) -> Browser:
        return self.model.judge.browser

    @property
    def row(self) -> Said:
        return reading.connections(self._browser)[self.someone.path]

    @property
    def since(self) -> str:
        return str(reading.exported(self._browser)[self.someone.path]["since"])

    def way(self, name: str) -> Said:
        """Return a validation status: "ours" of Zoom's way here, or "recalls"."""
        found, _ = reading.clocks(self._browser, self.model.judge.app_id)
        return found[name]

    def page(self, path: str) -> str:
        return words(self._browser.get(path).soup)

    def answer(self, question: object) -> Said:
        """Ask Explain; again, if that started a check."""
        self.model.stage.finish_checks()
        explain = self.model.judge.explain
        for _ in range(2):
            told = reading.explain(self._browser, explain, str(question))
            self.model.stage.finish_checks()
        return told

    @property
    def meeting(self) -> int:
        """The newest one."""
        return list(self.model.oracle.meetings)[-1]


Make = Callable[[Told], None]
Holds = Callable[[Told], bool]


def _wrong_for_a_while(told: Told, amount: timedelta) -> None:
    """Set the host's clock, look at everything, and put it right."""
    model = told.model
    model.set_wrong(amount)
    model.settle()
    model.test_now()
    model.settle()
    model.set_right()


def _some_events(told: Told) -> None:
    for _ in range(4):
        told.model.meet()
        told.model.settle()
        told.model.pass_time(6 * _MINUTE, step=6 * _MINUTE)


def _refused(told: Told) -> None:
    told.model.rotate_token()
    _some_events(told)


def _paused(told: Told) -> None:
    told.model.change_in_recall()
    _some_events(told)


def _receiver_down(told: Told) -> None:
    told.model.begin(Outage.RECEIVER)
    _some_events(told)
    _some_events(told)


def _no_worker(told: Told) -> None:
    told.model.kill_worker()
    told.model.meet()
    told.model.settle()
    told.model.pass_time(5 * _MINUTE, step=5 * _MINUTE)


def _disconnected(told: Told) -> None:
    told.model.judge.browser.submit(
        told.model.judge.browser.get(told.someone.path), "/disconnect"
    )
    told.model.oracle.disconnects += 1
    told.someone.left = "staff"


def _unlisted(told: Told) -> None:
    told.model.begin(Outage.RECALL_MAPPINGS)
    told.model.meet()
    told.model.settle()
    told.model.pass_time(2 * _MINUTE, step=_MINUTE)
    told.model.judge.browser.post(f"{told.someone.path}/check")


def _ended(told: Told) -> None:
    model = told.model
    model.stage.world.end_grant(model.oracle.client_id, told.someone.user_id)
    model.settle()
    model.pass_time(90 * _MINUTE, step=10 * _MINUTE)
    told.before = told.since


def _unmapped(told: Told) -> None:
    told.model.meet()
    told.model.settle()
    told.model.pass_time(20 * _MINUTE, step=10 * _MINUTE)
    told.model.stage.world.unmap(told.meeting)
    told.model.settle()
    told.model.pass_time(70 * _MINUTE, step=10 * _MINUTE)


def _seen_ahead(told: Told) -> None:
    """All is seen while the clock is ahead; then a secret and a user change."""
    told.model.set_wrong(30 * _DAY)
    told.model.settle()
    told.model.press_validate()
    told.model.settle()
    told.model.set_right()
    told.model.rotate_token()
    _ended(told)


@dataclass(frozen=True, kw_only=True)
class Situation:
    """One of them.

    Attributes:
        make: Brings it about.
        holds: Whether the pages say so, whatever the clock did.
        databases: On which it is tried.
    """

    make: Make
    holds: Holds
    databases: tuple[str, ...] = ("sqlite",)


SITUATIONS = {
    "T1 evidence that is dated ahead": Situation(
        make=_seen_ahead,
        holds=lambda told: not told.row.is_green,
        databases=("sqlite", "postgresql"),
    ),
    "T2 3.3 no worker runs": Situation(
        make=_no_worker,
        holds=lambda told: (
            "worker" in told.needs_attention
            and "Nobody" not in told.row.who
            and "operator" in told.answer(told.meeting).text
        ),
    ),
    "T3 3.6 staff disconnected a user": Situation(
        make=_disconnected,
        holds=lambda told: (
            "reported that the user removed" not in told.answer(told.someone.email).text
            and "Removed the app" not in told.page("/erasures/")
        ),
    ),
    "T4 3.7 Recall's list can't be read": Situation(
        make=_unlisted,
        holds=lambda told: (
            told.answer(told.meeting).word not in ("not-mapped", "ready")
            and "could not be read (503)" in told.page(told.someone.path)
        ),
    ),
    "T4 2.5 Recall lists a meeting no longer": Situation(
        make=_unmapped,
        holds=lambda told: not told.answer(told.meeting).is_green,
    ),
    "T5 3.1 every event is rejected": Situation(
        make=_refused, holds=lambda told: not told.way("ours").is_green
    ),
    "T5 3.2 Recall rejects the signature": Situation(
        make=_paused, holds=lambda told: not told.way("recalls").is_green
    ),
    "T5 Recall is down": Situation(
        make=_receiver_down,
        holds=lambda told: not (told.way("recalls").is_green or told.card.is_green),
    ),
}


def _moves(told: Told) -> Iterator[str]:
    model = told.model
    yield "at once"
    model.pass_time(3 * _HOUR, step=_HOUR)
    _wrong_for_a_while(told, 2 * _DAY)
    yield "3 hours later, after a clock that was 2 days ahead"
    _wrong_for_a_while(told, -_HOUR)
    model.settle()
    yield "after a clock that was an hour behind"
    model.pass_time(26 * _HOUR, step=13 * _HOUR)
    yield "a day later"


CASES = [
    pytest.param(name, on, id=f"{name} ({on})")
    for name, each in SITUATIONS.items()
    for on in each.databases
]


@pytest.mark.parametrize(("name", "on"), CASES)
def test_it_is_said_whatever_the_clock_does(
    request: pytest.FixtureRequest, tmp_path: Path, name: str, on: str
) -> None:
    database: Database = request.getfixturevalue(on)
    situation = SITUATIONS[name]
    with a_stage(database, tmp_path, worlds(5)["independent"]) as stage:
        model = Model(stage, seed=5)
        told = Told(model=model, someone=model.oracle.people[0])
        model.pass_time(15 * _MINUTE, step=5 * _MINUTE)
        situation.make(told)
        model.settle()
        unsaid = []
        for move in _moves(told):
            model.read(move, lambda _: None)
            if not situation.holds(told):
                unsaid.append(move)
    assert (unsaid, model.report.first) == ([], [])
