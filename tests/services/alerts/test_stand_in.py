"""That no worker runs is said by the process that serves pages."""

from concurrent.futures import wait
from datetime import timedelta

import pytest

from dashboard.services.alert_channels.rules import Rule
from dashboard.services.alerts.stand_in import StandIn
from dashboard.services.heartbeats import heartbeats
from tests.fixtures.alerts import Desk, box, desk

__all__ = ["box", "desk"]


@pytest.mark.usefixtures("real_heartbeats")
def test_it_works_only_while_no_worker_does(desk: Desk) -> None:
    desk.add_channel(rule=Rule(lasts_minutes=0))
    beat(desk)
    stand_in = StandIn(desk.runtime)

    assert not stand_in.work()
    desk.clock.advance(minutes=2)
    assert stand_in.work()
    wait(list(stand_in._sender._running))

    [subject] = [each for each in desk.box.subjects if "worker" in each]
    assert subject.startswith("The background worker has not reported since")
    stand_in.close()


@pytest.mark.usefixtures("real_heartbeats")
def test_a_worker_that_reports_again_is_said(desk: Desk) -> None:
    desk.add_channel(rule=Rule(lasts_minutes=0))
    beat(desk)
    desk.clock.advance(minutes=2)
    desk.turn()
    for _ in range(20):
        desk.clock.advance(seconds=15)
        beat(desk)
        desk.turn()

    assert "Resolved: " in desk.box.subjects[-1]
    assert "A worker reports again." in desk.box.messages[-1].get_content()


def beat(desk: Desk) -> None:
    now = desk.clock.now()
    with desk.runtime.database.writing() as session:
        heartbeats.beat(
            session, "host:1", started_at=now - timedelta(hours=1), version="1", now=now
        )
