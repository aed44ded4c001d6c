"""What is new in Recall's log of an app: told by time and text, and free of secrets."""

from datetime import datetime, timedelta

import pytest
from pydantic import SecretStr

from dashboard.clients.recall.replies import RecallLog
from dashboard.services.probes import recall_record
from tests.makers import API_KEY, CLIENT_SECRET, NOON, SECRET_TOKEN

SECRETS = [SECRET_TOKEN, CLIENT_SECRET, API_KEY]
FAILED = "Webhook signature verification failed."
OLD = "Webhook timestamp is too old."


def entry(text: str, at: datetime = NOON) -> RecallLog:
    return RecallLog(message=text, created_at=at)


def news(
    *entries: RecallLog,
    seen_at: datetime | None = None,
    known: tuple[str, ...] = (),
    secrets: list[SecretStr] = SECRETS,
) -> list[str]:
    found = recall_record.new_entries(
        entries, seen_at=seen_at, known=known, secrets=secrets, now=NOON
    )
    return [each.detail for each in found]


def ago(seconds: float) -> datetime:
    return NOON - timedelta(seconds=seconds)


def test_all_is_new_at_first_the_oldest_first() -> None:
    assert news(entry(FAILED), entry(OLD, ago(5))) == [OLD, FAILED]


def test_what_came_before_the_newest_that_was_kept_is_not() -> None:
    assert news(entry(FAILED, ago(1)), entry(OLD, ago(9)), seen_at=ago(5)) == [FAILED]


@pytest.mark.parametrize("known", [FAILED, f"{FAILED} (3 times)"])
def test_of_the_same_instant_the_text_tells(known: str) -> None:
    both = [entry(FAILED, ago(5)), entry(OLD, ago(5))]

    assert news(*both, seen_at=ago(5), known=(known,)) == [OLD]


def test_many_alike_are_one_with_their_number() -> None:
    same = [entry(FAILED, ago(second)) for second in (3, 2, 1)]

    assert news(*same, entry(OLD, ago(2.5))) == [OLD, f"{FAILED} (3 times)"]


def test_a_flood_of_different_ones_is_bounded_to_the_newest() -> None:
    found = news(*(entry(f"Number {n}", ago(100 - n)) for n in range(100)))

    assert (len(found), found[-1]) == (20, "Number 99")


def test_one_dated_far_ahead_hides_nothing() -> None:
    assert news(entry(FAILED, NOON + timedelta(days=9000)), entry(OLD)) == [OLD]


def test_an_empty_one_says_nothing() -> None:
    assert news(entry(""), entry(" ")) == []


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_that_recall_echoes_are_taken_out(secret: SecretStr) -> None:
    (told,) = news(entry(f"Zoom refused {secret.get_secret_value()} for this app"))

    assert told == "Zoom refused [removed] for this app"


def test_a_secret_that_was_cut_through_is_taken_out_as_well() -> None:
    long = "so it was " * 29
    (told,) = news(entry(f"{long}{SECRET_TOKEN.get_secret_value()} and more"))

    assert "test" not in told
    assert told.endswith(" …")
