"""Silence is judged by the app's own rhythm, and by whether anybody is connected."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from dashboard.db import Database
from dashboard.models.connection import TokenState
from dashboard.models.ids import new_id
from dashboard.models.watch import HeardHour
from dashboard.models.webhook import Refusal
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.services.facts import silence
from dashboard.services.facts.silence import EventHistory, Silence
from dashboard.services.validation import evidence
from dashboard.vault import Vault
from tests.makers import NOON, a_connection, a_webhook, saved_app

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONTH_AGO = NOON - 40 * DAY


def daily(days: int, *, until: datetime) -> list[datetime]:
    """Nine to five, every day; the last hour is `until`."""
    last = until.replace(minute=0)
    return sorted(
        last - DAY * day - HOUR * back for day in range(days) for back in range(8)
    )


def weekdays(weeks: int, *, until: datetime) -> list[datetime]:
    """The same, but on no Saturday and no Sunday."""
    return [hour for hour in daily(7 * weeks, until=until) if hour.weekday() < 5]


def heard(**over: Any) -> EventHistory:
    values: dict[str, Any] = {"users": 3, "users_since": MONTH_AGO}
    return EventHistory(**(values | over))


def silent_for(
    hours: Sequence[datetime], since: timedelta, **over: Any
) -> Silence | None:
    event_at = hours[-1] + timedelta(minutes=30)
    return silence.judge(
        heard(event_at=event_at, hours=hours, **over), event_at + since
    )


@pytest.mark.parametrize(
    ("hours", "limit"),
    [
        (daily(14, until=NOON), 32 * HOUR),
        (weekdays(3, until=NOON), 128 * HOUR),
        ([NOON - HOUR * back for back in range(24 * 14, -1, -1)], 24 * HOUR),
        (daily(3, until=NOON), 96 * HOUR),
        ([NOON], 96 * HOUR),
    ],
    ids=["office hours", "weekdays", "around the clock", "three days old", "one event"],
)
def test_the_limit_is_twice_the_longest_pause_and_at_least_a_day(
    hours: Sequence[datetime], limit: timedelta
) -> None:
    assert silent_for(hours, limit) is None
    assert silent_for(hours, limit + timedelta(minutes=1)) is not None


def test_an_alarm_says_how_long_what_it_learned_from_and_what_to_do() -> None:
    learned = silent_for(daily(14, until=NOON), 4 * DAY)
    unlearned = silent_for(daily(3, until=NOON), 5 * DAY)

    assert learned is not None
    assert unlearned is not None
    assert learned.sentence == (
        "No events from Zoom for 4 days, though 3 users are connected."
    )
    assert "longest pause in the 28 days before was 16 h" in learned.detail
    assert "press Validate, then Save" in learned.detail
    assert "fewer than 7 days of events" in unlearned.detail
    assert learned.since == NOON + timedelta(minutes=30)


def test_a_pause_of_long_ago_is_forgotten() -> None:
    recent = daily(14, until=NOON)

    assert silent_for([NOON - 60 * DAY, *recent], 33 * HOUR) is not None


@pytest.mark.parametrize(
    "over",
    [{"users": 0, "users_since": None}, {"users_since": NOON + 9 * DAY}],
    ids=["nobody is connected", "the first user has just connected"],
)
def test_nobody_to_hear_is_no_silence(over: dict[str, Any]) -> None:
    assert silent_for(daily(14, until=NOON), 10 * DAY, **over) is None


def test_an_app_that_was_never_heard_has_not_fallen_silent() -> None:
    assert silence.judge(heard(), NOON) is None


def refused(*minutes: int) -> list[datetime]:
    return [NOON + timedelta(minutes=each) for each in minutes]


@pytest.mark.parametrize(
    ("refused_at", "is_alarm"),
    [
        (refused(10, 20, 40), True),
        (refused(10, 40), False),
        (refused(10, 11, 12, 13, 14), False),
        (refused(-40, -20, -1, 5), False),
    ],
    ids=["for a while", "only two", "within minutes", "before the last event"],
)
def test_only_refused_requests_are_an_alarm_at_once(
    refused_at: list[datetime], *, is_alarm: bool
) -> None:
    found = silence.judge(
        heard(event_at=NOON, refused_at=refused_at, cause="Invalid signature"),
        NOON + HOUR,
    )

    assert (found is not None) is is_alarm
    if found is not None:
        assert found.is_refused
        assert found.sentence.startswith("3 requests since")
        assert "most as “Invalid signature”" in found.sentence


def a_refusal(app: ZoomApp, at: datetime, cause: str) -> Refusal:
    return Refusal(
        id=new_id(at),
        zoom_app_id=app.id,
        cause=cause,
        detail="It was so.",
        status=401,
        body_bytes=2,
        received_at=at,
    )


def stored(database: Database, vault: Vault, **over: Any) -> ZoomApp:
    """Store an app with a user, ten days of events, and none for five days."""
    with database.writing() as session:
        app = session.get_one(ZoomApp, saved_app(session, vault, **over))
        session.add(a_connection(app, connected_at=MONTH_AGO))
        session.add(a_connection(app, token_state=TokenState.RECONNECT_NEEDED))
        session.add(a_connection(app, token_state=TokenState.UNHEALTHY_IN_RECALL))
        session.add(a_connection(app, deauthorized_at=MONTH_AGO))
        session.add(a_webhook(app, received_at=NOON - 5 * DAY))
        session.add(
            a_webhook(app, event=evidence.CHALLENGE, received_at=NOON - 2 * DAY)
        )
        for hour in daily(10, until=NOON - 5 * DAY):
            session.add(HeardHour(zoom_app_id=app.id, hour=hour, events=2))
    return app


def found(database: Database, app: ZoomApp) -> Silence | None:
    with database.reading() as session:
        seen = evidence.evidence(session, app.id, now=NOON)
        return silence.find(session, app, seen, now=NOON)


def test_silence_is_gathered_from_connections_hours_and_webhooks(
    database: Database, vault: Vault
) -> None:
    silent = found(database, stored(database, vault))

    assert silent is not None
    assert "for 5 days, though 1 user is connected" in silent.sentence
    assert "was 16 h" in silent.detail


@pytest.mark.parametrize(
    "over",
    [{"routing": Routing.DIRECT}, {"retired_at": NOON}],
    ids=["direct", "retired"],
)
def test_nothing_is_expected_of_an_app_that_is_not_listened_to(
    database: Database, vault: Vault, over: dict[str, Any]
) -> None:
    assert found(database, stored(database, vault, **over)) is None


def test_the_commonest_cause_of_the_refused_ones_is_named(
    database: Database, vault: Vault
) -> None:
    app = stored(database, vault)
    with database.writing() as session:
        for hours, cause in enumerate(
            ["signature", "too_old", "signature", "signature"]
        ):
            session.add(a_refusal(app, NOON - DAY + HOUR * hours, cause))
        session.add(a_refusal(app, NOON - 9 * DAY, "length"))

    silent = found(database, app)

    assert silent is not None
    assert silent.is_refused
    assert silent.sentence.startswith("4 requests since")
    assert "most as “Invalid signature”" in silent.sentence


def test_an_app_whose_webhooks_are_pruned_is_still_known_to_have_been_heard(
    database: Database, vault: Vault
) -> None:
    with database.writing() as session:
        app = session.get_one(ZoomApp, saved_app(session, vault))
        session.add(a_connection(app, connected_at=MONTH_AGO))
        session.add(HeardHour(zoom_app_id=app.id, hour=NOON - 35 * DAY, events=1))

    silent = found(database, app)

    assert silent is not None
    assert "for 34 days" in silent.sentence
