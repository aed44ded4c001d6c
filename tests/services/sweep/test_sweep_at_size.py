"""Hundreds due at once, 429s, an outage: budgets are kept, every state ends right."""

from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Runtime
from tests.fixtures.sweep import Fate, a_sweep_stage
from tests.makers import FakeClock
from tests.system.sweep_at_size import story

NUMBER = 220


def test_a_sweep_through_every_trouble_keeps_the_budgets_and_ends_right(
    runtime: Runtime, sandbox: RunningSandbox, clock: FakeClock
) -> None:
    stage = a_sweep_stage(runtime, sandbox, clock, number=NUMBER)

    story(stage)
    stage.sweep.close()

    calls = stage.calls()
    assert set(stage.fates.values()) == set(Fate)
    assert (stage.unseen(), stage.wrong()) == (0, {})
    assert all(one["refused"] == 0 for one in calls.values())
    assert calls["credentials.access_token"]["peak"] > 50
    # Background work leaves people two fifths of every budget, in any 60 s.
    assert {
        name: one["peak"]
        for name, one in calls.items()
        if one["peak"] > 0.6 * one["limit"]
    } == {}
