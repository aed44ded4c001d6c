"""A rotation with Recall failing at each step: no event is lost, nothing goes unsaid.

`Stage.step` looks after every few simulated seconds whether what the page says is so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient

from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.services import audit
from dashboard.services.zoom_apps import credential_checks
from tests.fixtures.relay import With
from tests.fixtures.rotation import (
    API,
    Stage,
    admin,
    changes,
    minutes,
    stage,
)

__all__ = ["admin", "stage"]

OWED = "Recall still has the previous one"
UNKNOWN = "Unknown whether Recall has it"


class Crash(BaseException):
    """The process ends here."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """What goes wrong.

    Attributes:
        begin: Brings it about.
        end: Takes it away.
        said: What the page says meanwhile, in the order of its lines.
        is_in_recall: Whether Recall has the new secret token all the same.
        dead: How many webhooks Recall never takes, because it refused them before.
    """

    begin: Callable[[Stage], object]
    end: Callable[[Stage], object]
    said: tuple[str, ...] = ()
    is_in_recall: bool = False
    dead: int = 0


def _fault(*said: str, kind: FaultKind, lands: bool = False, **over: Any) -> Case:
    fault = Fault(kind=kind, path=API, method="PATCH", **over)
    return Case(
        begin=lambda stage: stage.sandbox.recall_faults.set([fault]),
        end=lambda stage: stage.sandbox.recall_faults.set([]),
        said=said,
        is_in_recall=lands,
    )


def _switch(name: str, value: object, normal: object, *said: str) -> Case:
    def switch(stage: Stage, to: object) -> None:
        stage.sandbox.recall_world.set_switches({name: to})

    return Case(
        begin=lambda stage: switch(stage, value),
        end=lambda stage: switch(stage, normal),
        said=said,
    )


def _key(stage: Stage, *, is_known: bool) -> None:
    """Let Recall know the workspace's API key, or not any more."""
    world = stage.sandbox.recall_world
    with world.lock:
        workspace = stage.at_recall.workspace
        world.workspaces.clear()
        if is_known:
            world.workspaces[workspace.api_key] = workspace


CASES = {
    "PATCH is refused a connection": _fault(UNKNOWN, kind=FaultKind.DOWN),
    "PATCH is answered 500": _fault(
        UNKNOWN, "failed on its side", kind=FaultKind.SERVER_ERROR
    ),
    "PATCH is answered 503 by the edge": _fault(UNKNOWN, kind=FaultKind.UNAVAILABLE),
    "the answer of PATCH is lost": _fault(
        UNKNOWN, "sent again", kind=FaultKind.LOST_ANSWER, lands=True
    ),
    "the answer of PATCH breaks off": _fault(
        UNKNOWN, kind=FaultKind.HALF_ANSWER, lands=True
    ),
    "PATCH is answered nonsense": _fault(UNKNOWN, kind=FaultKind.NONSENSE),
    "PATCH is slow": _fault(kind=FaultKind.SLOW, seconds=0.3, lands=True),
    "PATCH is one too many": _fault(
        OWED, "rate limit", kind=FaultKind.RATE_LIMITED, seconds=20
    ),
    "PATCH is stopped by the firewall": _fault(
        OWED, "firewall", "an admin has to ask", kind=FaultKind.HTML_403
    ),
    "the workspace is out of credit": _switch(
        "credit_spent", True, False, OWED, "out of credit"
    ),
    "the API key is not known any more": Case(
        begin=lambda stage: _key(stage, is_known=False),
        end=lambda stage: _key(stage, is_known=True),
        said=(OWED, "region and key"),
    ),
    "all of Recall is down": Case(
        begin=lambda stage: stage.sandbox.recall_faults.set(
            [Fault(kind=FaultKind.DOWN)]
        ),
        end=lambda stage: stage.sandbox.recall_faults.set([]),
    ),
    "Recall answers every webhook 401": Case(
        begin=lambda stage: stage.sandbox.recall_world.set_switches(
            {"webhook_answer": 401}
        ),
        end=lambda stage: stage.sandbox.recall_world.set_switches(
            {"webhook_answer": "ok"}
        ),
        is_in_recall=True,
        dead=1,
    ),
    "Recall answers every webhook 503": _switch("webhook_answer", 503, "ok"),
    "nothing": Case(begin=id, end=id, is_in_recall=True),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_no_event_is_lost_whatever_recall_does(
    stage: Stage, admin: FlaskClient, case: Case
) -> None:
    stage.event(3)
    stage.step()
    stage.announce()
    new = stage.regenerate()
    stage.event(2)  # signed with what nobody here knows yet: Zoom tries again
    stage.straggler()
    case.begin(stage)

    saved = stage.save(new)
    stage.event(3)
    stage.run(minutes(2))
    meanwhile = stage.page(admin)
    is_there = stage.at_recall.webhook_secret == new
    case.end(stage)
    stage.event()
    stage.run(minutes(6), step=minutes(0.5))
    while_zoom_retries = stage.page(admin)
    stage.event()
    stage.run(minutes(120), step=minutes(5))

    assert saved.change is not None
    assert all(words in meanwhile for words in case.said), meanwhile
    assert is_there == case.is_in_recall
    assert "In Recall" in while_zoom_retries
    assert "Zoom uses the new secret token" in while_zoom_retries
    assert stage.here() == stage.at_recall.webhook_secret == new
    stage.require_nothing_lost()
    assert len(stage.dead()) == case.dead
    assert stage.page(admin) == ""  # nothing is under way any more


def test_a_crash_between_the_two_halves_is_healed(stage: Stage) -> None:
    stage.step()
    stage.announce()
    new = stage.regenerate()
    stage.event(2)

    credential_checks.change(  # the process ends right after its commit
        stage.runtime, stage.app_id, changes(new), actor=audit.COMMAND_LINE
    )
    stage.require_true()
    owed = stage.tone("recall")
    stage.event()
    stage.step()

    assert owed == "waiting"
    assert stage.at_recall.webhook_secret == new
    stage.run(minutes(6))
    stage.require_nothing_lost()


def test_a_crash_after_recall_took_it_is_not_called_done_and_is_healed(
    stage: Stage, admin: FlaskClient
) -> None:
    def recall(*args: Any) -> Any:
        real = stage.runtime.recall(*args)

        class Dying:
            def update_app(self, *args: Any, **over: Any) -> None:
                real.update_app(*args, **over)
                raise Crash

        return Dying()

    stage.step()
    stage.announce()
    new = stage.regenerate()
    runtime: Any = With(stage.runtime, recall=recall)
    with pytest.raises(Crash):
        stage.save(new, runtime)
    stage.require_true()
    crashed = stage.tone("recall")
    stage.event(2)
    stage.step(minutes(0.5))
    while_leased = stage.page(admin)
    stage.run(minutes(1))

    assert stage.at_recall.webhook_secret == new
    assert crashed == "waiting"
    assert "Being sent to Recall" in while_leased
    assert stage.tone("recall") == "good"
    stage.run(minutes(6))
    stage.require_nothing_lost()
    assert stage.dead() == []
