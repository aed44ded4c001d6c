"""The life of an alert: opened once, kept while it flaps, resolved by evidence."""

from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlmodel import col, delete, select

from dashboard.models.alert import (
    AlertChannel,
    AlertKind,
    AlertRound,
    MessageOutcome,
    Occasion,
    Pace,
)
from dashboard.models.endpoint import Endpoint
from dashboard.models.event import Event
from dashboard.models.zoom_app import Routing
from dashboard.services import audit
from dashboard.services.alert_channels import channels
from dashboard.services.alert_channels.rules import Rule
from dashboard.services.alerts import rounds, sending, topics
from dashboard.services.alerts.rounds import Rounds
from dashboard.services.endpoints import endpoints
from dashboard.services.facts.acting import Problem
from dashboard.services.status import attention, overview
from tests.fixtures.alerts import Desk, box, desk
from tests.makers import NOON

__all__ = ["box", "desk"]

REJECTED = "Notetaker (development): Zoom rejects the client ID and client secret."


def test_a_problem_is_one_mail_with_the_next_step(desk: Desk) -> None:
    desk.add_channel()
    desk.break_pair()

    desk.live(minutes=30)

    [mail] = desk.box.messages
    assert mail["Subject"] == REJECTED
    assert mail["To"] == "ops@example.com"
    assert "Next step: Fix the Zoom app's client secret here and in Recall." in (
        mail.get_content()
    )
    assert f"https://dashboard.example.com/alerts/{desk.alerts[0].id}" in (
        mail.get_content()
    )


def test_it_is_said_within_two_minutes(desk: Desk) -> None:
    desk.add_channel()
    desk.break_pair()

    desk.live(minutes=1)
    assert desk.box.messages == []

    desk.live(minutes=1)
    assert desk.box.subjects == [REJECTED]


def test_what_is_over_before_it_lasted_is_not_said(desk: Desk) -> None:
    desk.add_channel()
    desk.break_pair()
    desk.live(seconds=30)
    desk.fix_pair()

    desk.live(hours=2)

    assert desk.box.messages == []
    assert [each.resolved_at is not None for each in desk.alerts] == [True]


def test_the_resolution_is_said_with_its_evidence(desk: Desk) -> None:
    desk.add_channel()
    desk.break_pair()
    desk.live(minutes=5)
    desk.fix_pair()

    desk.live(minutes=5)

    assert desk.box.subjects == [REJECTED, f"Resolved: {REJECTED}"]
    assert "Zoom accepted the pair." in desk.box.messages[1].get_content()


def test_the_customers_software_hears_of_both(desk: Desk) -> None:
    desk.break_pair()
    desk.live(minutes=5)
    desk.fix_pair()
    desk.live(minutes=5)

    with desk.runtime.database.reading() as session:
        query = select(Event).where(col(Event.kind).startswith("alert."))
        opened, resolved = session.exec(query.order_by(col(Event.id))).all()
    assert (opened.kind, resolved.kind) == ("alert.opened", "alert.resolved")
    assert f'"alert_id":"{desk.alerts[0].id}"' in opened.data
    assert REJECTED in resolved.data


def test_a_paused_endpoint_is_an_alert_of_its_own(desk: Desk) -> None:
    runtime, actor = desk.runtime, audit.Actor(name="admin@example.com")
    url = SecretStr("https://hooks.example.com/in")
    made = endpoints.add(runtime, url, events=["webhook.dead"], actor=actor)
    with runtime.database.writing() as session:
        row = session.get_one(Endpoint, made.id)
        row.paused_at = runtime.clock.now()
        session.add(row)
    desk.live(minutes=5)
    [alert] = [each for each in desk.alerts if each.topic == "endpoint"]
    assert alert.subject == str(made.id)
    endpoints.resume(runtime.database, runtime.clock, made.id, actor=actor)
    desk.live(minutes=10)
    [alert] = [each for each in desk.alerts if each.topic == "endpoint"]
    assert alert.resolution == "The endpoint was resumed or removed."


def test_what_is_not_known_any_more_is_not_over(desk: Desk) -> None:
    desk.add_channel()
    desk.break_pair()
    desk.live(minutes=5)
    desk.lose_sight_of_pair()

    desk.live(minutes=90)

    assert desk.box.subjects == [REJECTED]
    assert desk.alerts[0].resolved_at is None


@pytest.mark.parametrize("minutes", [1, 4, 20])
def test_a_problem_that_flaps_is_said_once_an_hour_at_most(
    desk: Desk, minutes: float
) -> None:
    desk.add_channel()
    desk.live(minutes=1)
    began = desk.clock.now()
    while desk.clock.now() < began + timedelta(hours=2.5):
        desk.break_pair()
        desk.live(minutes=minutes)
        desk.fix_pair()
        desk.live(minutes=minutes)

    opened = [each for each in desk.messages if each.occasion is not Occasion.RESOLVED]
    times = [each.created_at for each in opened]
    assert times
    assert all(b - a >= rounds.APART for a, b in pairwise(times))
    assert len(desk.alerts) == 1
    if minutes < 3:
        assert desk.box.subjects == [REJECTED]


def test_one_that_comes_back_much_later_is_another(desk: Desk) -> None:
    desk.add_channel()
    for _ in range(2):
        desk.break_pair()
        desk.live(minutes=5)
        desk.fix_pair()
        desk.live(minutes=90)

    assert len(desk.alerts) == 2
    assert len(desk.box.messages) == 4


def test_an_alert_that_no_one_acknowledges_is_said_again_each_day(desk: Desk) -> None:
    desk.add_channel()
    desk.break_pair()
    desk.live(minutes=5)

    for _ in range(2):
        desk.clock.advance(hours=24)
        desk.break_pair()
        desk.live(minutes=1)

    assert desk.box.subjects == [REJECTED, *[f"Still open: {REJECTED}"] * 2]


def test_an_acknowledged_one_is_not_said_again_but_its_end_is(desk: Desk) -> None:
    desk.add_channel()
    desk.break_pair()
    desk.live(minutes=5)
    with desk.runtime.database.writing() as session:
        row = session.merge(desk.alerts[0])
        row.acknowledged_at, row.acknowledged_by = desk.clock.now(), "ana@example.com"

    desk.clock.advance(hours=30)
    desk.break_pair()
    desk.live(minutes=1)
    assert desk.box.subjects == [REJECTED]

    desk.fix_pair()
    desk.live(minutes=5)
    assert desk.box.subjects == [REJECTED, f"Resolved: {REJECTED}"]


def test_another_problem_of_the_same_thing_is_the_same_alert(desk: Desk) -> None:
    desk.add_channel()
    desk.break_pair()
    desk.live(minutes=5)
    desk.fix_pair()
    desk.set_app(is_switched_off=True)

    desk.live(minutes=5)

    assert [each.problem for each in desk.alerts] == [Problem.APP_DISABLED]
    assert [each.occasion for each in desk.messages] == [
        Occasion.OPENED,
        Occasion.CHANGED,
    ]


def test_two_problems_that_take_turns_are_not_said_each_time(desk: Desk) -> None:
    desk.add_channel()
    for _ in range(10):
        desk.set_app(is_switched_off=False)
        desk.break_pair()
        desk.live(minutes=2)
        desk.fix_pair()
        desk.set_app(is_switched_off=True)
        desk.live(minutes=2)

    assert len(desk.box.messages) == 2


def test_alerts_are_what_needs_attention(desk: Desk) -> None:
    desk.break_pair()
    desk.live(seconds=15)

    with desk.runtime.database.reading() as session:
        apps = overview.list_apps(session, now=desk.clock.now())
        items = attention.items(
            session,
            apps,
            public_url=desk.runtime.public_url,
            now=desk.clock.now(),
            vault=desk.runtime.vault,
        )
    assert [each.sentence for each in desk.alerts] == [each.sentence for each in items]


def test_no_one_is_told_while_there_is_no_channel_and_later_what_is_open(
    desk: Desk,
) -> None:
    desk.break_pair()
    desk.live(minutes=5)

    desk.add_channel()
    desk.live(minutes=1)

    assert desk.box.subjects == [REJECTED]


@pytest.mark.parametrize(
    ("rule", "is_said"),
    [
        (Rule(kinds=[AlertKind.CREDENTIALS]), True),
        (Rule(kinds=[AlertKind.SILENCE]), False),
        (Rule(severity="error"), True),
        (Rule(zoom_apps=[UUID(int=7)]), False),
        (Rule(lasts_minutes=60), False),
    ],
)
def test_a_rule_chooses(desk: Desk, rule: Rule, is_said: bool) -> None:  # noqa: FBT001 - a parameter
    desk.add_channel(rule=rule)
    desk.break_pair()

    desk.live(minutes=10)

    assert bool(desk.box.messages) is is_said


def test_a_rule_of_errors_says_no_lesser_problem(desk: Desk) -> None:
    desk.add_channel(rule=Rule(severity="error"))
    desk.clock.advance(hours=30)  # Zoom was not asked about the pair since

    desk.live(minutes=5)

    assert [each.tone for each in desk.alerts] == ["waiting"]
    assert desk.box.messages == []


def test_quiet_hours_hold_a_message_until_their_end(desk: Desk) -> None:
    desk.add_channel(rule=Rule(quiet=(11 * 60, 13 * 60)))
    desk.break_pair()
    desk.live(minutes=30)
    assert desk.box.messages == []

    desk.clock.set(NOON + timedelta(hours=1, minutes=1))
    desk.turn()

    assert desk.box.subjects == [REJECTED]


def test_what_is_over_at_the_end_of_the_quiet_hours_is_not_said(desk: Desk) -> None:
    desk.add_channel(rule=Rule(quiet=(11 * 60, 13 * 60)))
    desk.break_pair()
    desk.live(minutes=10)
    desk.fix_pair()
    desk.live(minutes=10)

    desk.clock.set(NOON + timedelta(hours=1, minutes=1))
    desk.turn()
    desk.live(minutes=5)

    assert desk.box.messages == []
    assert [each.outcome for each in desk.messages] == [MessageOutcome.DROPPED]


def test_a_digest_is_one_mail_a_day(desk: Desk) -> None:
    desk.add_channel(rule=Rule(pace=Pace.DAILY, daily_at=8 * 60))
    desk.break_pair()
    desk.live(minutes=30)
    assert desk.box.messages == []

    desk.clock.set(NOON + timedelta(hours=20, minutes=1))
    desk.live(minutes=10)

    [mail] = desk.box.messages
    assert mail["Subject"] == "1 problem is open."
    assert REJECTED in mail.get_content()


def test_a_day_without_problems_has_no_digest(desk: Desk) -> None:
    desk.add_channel(rule=Rule(pace=Pace.DAILY, daily_at=8 * 60))

    desk.clock.set(NOON + timedelta(hours=20, minutes=1))
    desk.live(minutes=1)

    assert desk.box.messages == []


def test_a_broken_channel_is_said_on_another_one(desk: Desk) -> None:
    broken = desk.add_channel(name="Broken", url=SecretStr("gone@example.com"))
    desk.box.refuses["gone@example.com"] = "450 4.2.0 try later"
    desk.add_channel(name="Ops")
    desk.break_pair()

    desk.live(minutes=6)

    assert "Alerts don't arrive through the channel Broken." in desk.box.subjects
    said_by_broken = [each for each in desk.messages if each.channel_id == broken.id]
    assert {each.problem for each in said_by_broken} == {Problem.PAIR_REFUSED}


def test_a_channel_that_works_again_is_told_over(desk: Desk) -> None:
    desk.add_channel(name="Broken", url=SecretStr("gone@example.com"))
    desk.add_channel(name="Ops")
    desk.box.refuses["gone@example.com"] = "450 4.2.0 try later"
    desk.break_pair()
    desk.live(minutes=6)
    desk.box.refuses.clear()

    desk.live(minutes=20)

    assert (
        "Resolved: Alerts don't arrive through the channel Broken." in desk.box.subjects
    )


def test_a_message_that_fails_is_tried_again_with_the_same_id(desk: Desk) -> None:
    desk.add_channel()
    desk.box.answers = ["451 4.3.0 later", "451 4.3.0 later"]
    desk.break_pair()

    desk.live(minutes=5)

    [mail] = desk.box.messages
    [message] = desk.messages
    assert mail["Message-ID"] == f"<alert-message-{message.id}@example.com>"
    assert message.attempts == 2


def test_a_message_is_given_up_after_a_day_and_shown(desk: Desk) -> None:
    channel = desk.add_channel()
    desk.box.refuses["ops@example.com"] = "450 4.2.0 try later"
    desk.break_pair()
    desk.live(minutes=2)
    for _ in range(60):
        desk.clock.advance(hours=1)
        desk.break_pair()
        desk.turn()

    assert desk.messages[0].outcome is MessageOutcome.DEAD
    with desk.runtime.database.reading() as session:
        shown = channels.get(session, channel.id)
    assert "450 4.2.0 try later" in shown.trouble


def test_a_resolution_is_not_said_of_what_never_arrived(desk: Desk) -> None:
    desk.add_channel()
    desk.box.refuses["ops@example.com"] = "450 4.2.0 try later"
    desk.break_pair()
    desk.live(minutes=5)
    desk.fix_pair()
    desk.live(minutes=5)
    desk.box.refuses.clear()

    desk.live(minutes=90)

    assert desk.box.messages == []


def test_of_two_workers_one_makes_the_round(desk: Desk) -> None:
    desk.add_channel(rule=Rule(lasts_minutes=0))
    desk.break_pair()
    first, second = Rounds(desk.runtime), Rounds(desk.runtime)

    assert [first(), second()] == [1, 0]


def test_a_round_that_looked_earlier_changes_nothing(desk: Desk) -> None:
    desk.turn()
    with desk.runtime.database.writing() as session:
        row = session.get_one(AlertRound, 1)
        row.seen_at = desk.clock.now() + timedelta(seconds=40)
        session.add(row)
    desk.break_pair()
    desk.clock.advance(seconds=20)

    Rounds(desk.runtime)()

    assert desk.alerts == []


def test_a_retired_app_has_no_problem_any_more(desk: Desk) -> None:
    desk.add_channel()
    desk.break_pair()
    desk.live(minutes=5)
    desk.set_app(retired_at=desk.clock.now())

    desk.live(minutes=5)

    assert "The zoom app is retired." in desk.box.messages[-1].get_content()


def test_an_address_that_no_key_opens_is_said_as_such(desk: Desk) -> None:
    channel = desk.add_channel()
    with desk.runtime.database.writing() as session:
        row = session.get_one(AlertChannel, channel.id)
        row.url = b"\x01" + bytes(40)
        session.add(row)
    desk.break_pair()

    desk.live(minutes=3)

    assert "can't be decrypted" in desk.messages[0].trouble


def test_a_removed_channel_takes_its_messages_along(desk: Desk) -> None:
    desk.add_channel()
    desk.break_pair()
    desk.live(minutes=2)
    with desk.runtime.database.writing() as session:
        session.exec(delete(AlertChannel))

    assert desk.messages == []


def test_a_test_is_a_real_message(desk: Desk) -> None:
    channel = desk.add_channel()

    sending.test(desk.runtime, channel.id, actor=audit.THE_DASHBOARD)

    assert desk.box.subjects == ["Test of this alert channel"]


def test_what_a_direct_app_proves_is_its_way_to_recall(desk: Desk) -> None:
    desk.add_channel()
    desk.set_app(routing=Routing.DIRECT)
    desk.break_pair()
    desk.live(minutes=3)
    desk.fix_pair()

    desk.live(minutes=5)

    assert f"Resolved: {REJECTED}" in desk.box.subjects


def test_each_kind_is_of_some_problem() -> None:
    assert {kind for _, kind in topics._ALERTS.values()} == set(AlertKind)
