"""A rotation with a slip of the hand or a late webhook: what goes first, what waits.

The order is in docs/rotation.md. `Stage.step` looks whether what the page says is so.
"""

from typing import Any

from flask.testing import FlaskClient

from dashboard.errors import UpstreamError
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.services import audit
from dashboard.services.rotation import rotations
from dashboard.services.zoom_apps import credential_checks
from tests.fixtures.relay import With
from tests.fixtures.rotation import FORMER, Stage, admin, changes, minutes, stage

__all__ = ["admin", "stage"]


def test_webhooks_signed_with_the_former_token_go_before_it_is_taken_from_recall(
    stage: Stage, admin: FlaskClient
) -> None:
    stage.announce()
    stage.sandbox.recall_world.set_switches({"webhook_answer": 503})
    stage.event(8)
    stage.run(minutes(1))  # enough of them failed: the workspace stands still
    new = stage.regenerate()

    stage.save(new)
    stage.event(4)
    stage.run(minutes(60), step=minutes(1))
    during = stage.page(admin)
    kept = stage.at_recall.webhook_secret
    stage.sandbox.recall_world.set_switches({"webhook_answer": "ok"})
    stage.run(minutes(5))

    assert kept == FORMER
    assert "signed with the previous secret token are delivered first" in during
    assert stage.at_recall.webhook_secret == new
    stage.run(minutes(90), step=minutes(5))
    stage.require_nothing_lost()
    assert stage.dead() == []


def test_one_webhook_that_recall_never_takes_does_not_keep_the_token_from_it(
    stage: Stage,
) -> None:
    stage.announce()
    stage.sandbox.recall_world.set_switches({"webhook_answer": 500})
    stage.event()
    new = stage.regenerate()

    stage.save(new)
    stage.run(minutes(4))

    assert stage.at_recall.webhook_secret == new


def test_what_comes_too_late_is_dead_for_its_own_reason_and_holds_nothing_up(
    stage: Stage,
) -> None:
    stage.announce()
    new = stage.regenerate()
    stage.save(new)
    stage.event()
    stage.step()
    assert stage.tone("zoom") == "good"

    stage.straggler()
    stage.event(3)
    stage.step()

    [late] = stage.dead()
    assert late.verdict == "previous"
    assert stage.events_taken() == 4
    stage.require_nothing_lost()


def test_a_token_typed_wrong_costs_no_event_and_is_said_on_the_page(
    stage: Stage, admin: FlaskClient
) -> None:
    stage.event()
    stage.step()
    stage.save("test-verification-token")  # and nothing was regenerated in Zoom
    stage.event(5)
    stage.run(minutes(10), step=minutes(0.5))
    wrong = stage.page(admin)
    stage.save(FORMER)
    stage.run(minutes(2))

    assert "Zoom still signs with the previous secret token" in wrong
    assert "they are queued here" in wrong
    assert stage.at_recall.webhook_secret == FORMER
    assert stage.events_taken() == 6
    stage.require_nothing_lost()
    assert stage.dead() == []


def test_a_regenerated_token_typed_wrong_first_costs_no_event_either(
    stage: Stage, admin: FlaskClient
) -> None:
    stage.announce()
    new = stage.regenerate()
    stage.save("test-verification-token")
    stage.event(3)
    stage.run(minutes(4), step=minutes(0.5))
    stage.runtime.writer.flush()
    wrong = stage.page(admin)
    stage.save(new)
    stage.run(minutes(90), step=minutes(5))

    assert "signed with neither secret token" in wrong
    assert "here is wrong" in wrong
    assert stage.at_recall.webhook_secret == new
    assert stage.events_taken() == 3
    stage.require_nothing_lost()
    assert stage.dead() == []


def test_the_former_token_is_accepted_until_zoom_has_left_it(stage: Stage) -> None:
    stage.announce()
    new = stage.regenerate()
    stage.save(new)
    stage.run(minutes(600), step=minutes(20))  # Zoom is silent: both are accepted
    before = stage.app().previous_secret_token
    stage.event()
    stage.step()
    almost = rotations.KEPT - minutes(5)
    stage.run(almost, step=minutes(5))
    stage.straggler()
    stage.run(almost, step=minutes(5))
    extended = stage.app().previous_secret_token
    stage.run(minutes(6))

    assert before is not None
    assert extended is not None  # it was seen again, so it stays as long again
    assert stage.app().previous_secret_token is None
    change = stage.change()
    assert change is not None
    assert change.ended_at is not None


def test_an_outage_longer_than_the_tries_costs_no_webhook(stage: Stage) -> None:
    stage.announce()
    stage.sandbox.recall_faults.set([Fault(kind=FaultKind.DOWN)])
    stage.event()  # too few for the workspace to stand still
    new = stage.regenerate()

    stage.save(new)
    stage.event()
    stage.run(minutes(20))
    stage.sandbox.recall_faults.set([])
    stage.run(minutes(10))

    assert stage.at_recall.webhook_secret == new
    assert stage.dead() == []
    assert stage.events_taken() == 2


def test_an_overtaken_call_whose_answer_is_lost_is_followed_by_the_newest(
    stage: Stage,
) -> None:
    """The first PATCH may have landed after the second change was stored."""
    first, second = "test-token-first", "test-token-second"
    stage.step()

    def recall(*args: Any, **over: Any) -> Any:
        real = stage.runtime.recall(*args, **over)

        class Overtaken:
            def update_app(self, *args: Any, **over: Any) -> None:
                credential_checks.change(
                    stage.runtime,
                    stage.app_id,
                    changes(second),
                    actor=audit.COMMAND_LINE,
                )
                real.update_app(*args, **over)
                raise UpstreamError("Lost.", service="Recall", may_have_happened=True)

        return Overtaken()

    runtime: Any = With(stage.runtime, recall=recall)
    stage.save(first, runtime)
    landed = stage.at_recall.webhook_secret
    stage.step()

    assert landed == first
    assert stage.at_recall.webhook_secret == second
    assert stage.tone("recall") == "good"
