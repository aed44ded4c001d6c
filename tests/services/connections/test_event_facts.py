"""What the dashboard reads from Zoom's events, however odd."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dashboard.models.webhook import Webhook
from dashboard.services.connections.event_facts import Profile, Removal, read
from dashboard.vault import Vault
from tests.makers import NOON, a_webhook, a_zoom_app

REMOVED_AT = NOON - timedelta(minutes=3)


@pytest.fixture
def hook(vault: Vault) -> Webhook:
    return a_webhook(a_zoom_app(vault), event="user.updated")


@pytest.fixture
def farewell(vault: Vault) -> Webhook:
    return a_webhook(a_zoom_app(vault), event="app_deauthorized")


def updated(**about: Any) -> bytes:
    payload = {"object": {"id": "zUsEr0001AAAAAAAAAAAAA", **about}}
    return json.dumps({"event": "user.updated", "payload": payload}).encode()


def removed(**payload: Any) -> bytes:
    return json.dumps({"event": "app_deauthorized", "payload": payload}).encode()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (5551234567, 5551234567),
        ("5551234567", 5551234567),
        ("555 123 4567", 5551234567),
        (0, None),
        (True, None),
        (-5, None),
        (5.5, None),
        ("", None),
        ("9" * 40, None),
        ([5551234567], None),
        ({"pmi": 1}, None),
        (None, None),
    ],
    ids=str,
)
def test_a_pmi_is_a_number_or_digits(
    hook: Webhook, written: object, expected: int | None
) -> None:
    found = read(hook, updated(pmi=written))

    assert isinstance(found, Profile)
    assert found.pmi == expected


def test_an_update_without_a_pmi_is_usual(hook: Webhook) -> None:
    found = read(hook, updated(dept="Sales"))

    assert found == Profile(at=NOON, pmi=None, display_name="", email="")


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"display_name": "Ana Nowak"}, "Ana Nowak"),
        ({"first_name": "Ana", "last_name": "Nowak"}, "Ana Nowak"),
        ({"first_name": "Ana"}, ""),
        ({"first_name": "Ana", "last_name": ""}, ""),
        ({"display_name": "A\x00na"}, "A na"),
        ({"display_name": ["Ana"], "email": 7}, ""),
        ({"display_name": "n" * 900}, "n" * 200),
    ],
    ids=["whole", "parts", "one part", "an empty part", "NUL", "wrong types", "long"],
)
def test_a_name_is_whole_or_not_there(
    hook: Webhook, about: dict[str, object], expected: str
) -> None:
    found = read(hook, updated(**about))

    assert isinstance(found, Profile)
    assert (found.display_name, found.email) == (expected, "")


def test_a_time_to_come_counts_as_the_arrival(hook: Webhook) -> None:
    hook.event_ts = int((NOON + timedelta(days=900)).timestamp() * 1000)

    found = read(hook, updated(pmi=5551234567))

    assert isinstance(found, Profile)
    assert found.at == NOON


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"deauthorization_time": "2026-11-23T11:57:00.000Z"}, REMOVED_AT),
        ({"deauthorization_time": "2026-11-23T12:57:00+01:00"}, REMOVED_AT),
        ({"deauthorization_time": "2026-11-23T11:57:00"}, REMOVED_AT),
        ({"event_ts": int(REMOVED_AT.timestamp() * 1000)}, REMOVED_AT),
        ({"deauthorization_time": "yesterday"}, NOON - timedelta(seconds=9)),
        ({"deauthorization_time": 1760000000}, NOON - timedelta(seconds=9)),
        ({"event_ts": "soon"}, NOON - timedelta(seconds=9)),
        ({"deauthorization_time": "2030-01-01T00:00:00Z"}, NOON),
    ],
    ids=[
        *("as Zoom writes it", "with an offset", "without a zone", "event_ts inside"),
        *("words", "a number", "no time at all: when it was signed", "to come"),
    ],
)
def test_when_the_app_was_removed(
    farewell: Webhook, payload: dict[str, object], expected: datetime
) -> None:
    farewell.event_ts = None
    farewell.sent_at_s = int(NOON.timestamp()) - 9

    found = read(farewell, removed(client_id="simC1", **payload))

    assert found == Removal(at=expected, client_id="simC1")
    assert expected.tzinfo is UTC


@pytest.mark.parametrize("client_id", [None, 7, ["simC1"]], ids=str)
def test_a_client_id_of_another_type_is_none(
    farewell: Webhook, client_id: object
) -> None:
    found = read(farewell, removed(client_id=client_id))

    assert isinstance(found, Removal)
    assert found.client_id == ""


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"\xff", b"[]", b"7", b"{}", b'{"payload":[]}', b'{"payload":{}}'),
        *(b'{"payload":{"object":[]}}', b"[" * 100_000, b'{"payload":' + b"9" * 5000),
    ],
    ids=range(10),
)
def test_what_makes_no_sense_says_nothing(hook: Webhook, body: bytes) -> None:
    assert read(hook, body) is None


def test_an_event_about_nobody_says_nothing(hook: Webhook) -> None:
    hook.zoom_user_id = None

    assert read(hook, updated(pmi=5551234567)) is None


def test_half_a_character_elsewhere_hides_no_removal(hook: Webhook) -> None:
    hook.event = "app_deauthorized"
    body = b'{"payload":{"client_id":"simC1","note":"cut \xe2\x82 here"}}'

    found = read(hook, body)

    assert isinstance(found, Removal)
    assert found.client_id == "simC1"
