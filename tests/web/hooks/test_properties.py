"""What holds at Zoom's door for any bytes, any headers and any signature.

Over WSGI, as a server would call it: a client library would refuse to send the half of
it. SQLite alone; the tables' own tests run on both databases.
"""

import itertools
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr

from dashboard.db import Database
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.receiver import signatures
from tests.fixtures.arbitrary_requests import (
    CHALLENGE,
    ask,
    blanks,
    count,
    headers,
    lengths,
    newest_body,
    objects,
    proofs,
    spellings,
    values,
)
from tests.fixtures.hooks import HooksClient, door
from tests.makers import NOON, SECRET_TOKEN

__all__ = ["door"]

PREVIOUS = SecretStr("test-secret-token-previous")
REFUSALS = ("400", "401", "413")
quickly = hypothesis_settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

numbers = itertools.count(1)


@pytest.fixture
def database(sqlite: Database) -> Database:
    return sqlite


def proof(
    door: HooksClient, body: bytes, secret: SecretStr = SECRET_TOKEN
) -> dict[str, str]:
    timestamp = str(int(door.clock.now().timestamp()))
    message = signatures.signed_bytes(timestamp, body)
    return {
        "HTTP_X_ZM_REQUEST_TIMESTAMP": timestamp,
        "HTTP_X_ZM_SIGNATURE": signatures.sign(message, secret).decode(),
    }


def spelled(found: dict[str, Any], spelling: dict[str, Any], *, ascii_: bool) -> bytes:
    """Write an object that was never sent before, however it is spelled."""
    text = json.dumps({**found, "n": next(numbers)}, ensure_ascii=ascii_, **spelling)
    # Half a pair has no UTF-8: Zoom could only have escaped it.
    return text.replace("\ud800", "\\ud800").encode()


@quickly
@given(
    body=st.binary(max_size=300)
    | objects.map(lambda found: json.dumps(found).encode()),
    proven=proofs,
    more=headers,
    length=lengths,
    is_terminated=st.booleans(),
    slash=st.sampled_from(["", "/"]),
)
@example(
    body=b"",
    proven=("v0=" + "0" * 64, str(int(NOON.timestamp()))),
    more={"HTTP_CLIENTID": "ÿ", "HTTP_HOST": ""},
    length="0",
    is_terminated=True,
    slash="",
)
def test_whatever_a_stranger_sends_is_refused_and_never_stored(
    door: HooksClient,
    *,
    body: bytes,
    proven: tuple[str | None, str | None],
    more: dict[str, str],
    length: str,
    is_terminated: bool,
    slash: str,
) -> None:
    signature, timestamp = proven
    environ: dict[str, Any] = {
        **more,
        "PATH_INFO": door.path + slash,
        "CONTENT_LENGTH": length,
        "wsgi.input_terminated": is_terminated,
        "HTTP_X_ZM_SIGNATURE": signature,
        "HTTP_X_ZM_REQUEST_TIMESTAMP": timestamp,
    }
    present = {key: value for key, value in environ.items() if value is not None}

    answer = ask(door, body, present)

    assert answer.status in REFUSALS
    assert answer.mimetype == "text/plain"
    assert count(door) == 0


@quickly
@given(found=objects, spelling=spellings, ascii_=st.booleans(), more=headers)
def test_a_rightly_signed_object_is_always_taken_byte_for_byte(
    door: HooksClient,
    *,
    found: dict[str, Any],
    spelling: dict[str, Any],
    ascii_: bool,
    more: dict[str, str],
) -> None:
    body = spelled(found, spelling, ascii_=ascii_)

    answer = ask(door, body, {**more, **proof(door, body)})

    assert (answer.status, answer.body) == ("200", b"")
    assert newest_body(door, body) == body


@quickly
@given(body=st.binary(max_size=300), more=headers, ahead_s=st.integers(-600_000, 10**9))
def test_any_rightly_signed_bytes_are_taken_byte_for_byte_at_any_time(
    door: HooksClient, *, body: bytes, more: dict[str, str], ahead_s: int
) -> None:
    timestamp = str(int(door.clock.now().timestamp()) + ahead_s)
    message = signatures.signed_bytes(timestamp, body)
    proven = {
        "HTTP_X_ZM_REQUEST_TIMESTAMP": timestamp,
        "HTTP_X_ZM_SIGNATURE": signatures.sign(message, SECRET_TOKEN).decode(),
    }

    answer = ask(door, body, {**more, **proven})

    assert (answer.status, answer.body) == ("200", b"")
    assert newest_body(door, body) == body


@quickly
@given(
    secret=st.sampled_from([SECRET_TOKEN, PREVIOUS])
    | st.sampled_from(["", " ", "\n", "test-secret-token-0001 "]).map(SecretStr)
    | st.text(max_size=30).map(SecretStr),
    found=objects,
    more=headers,
)
def test_only_the_current_and_the_previous_secret_are_keys(
    door: HooksClient, *, secret: SecretStr, found: dict[str, Any], more: dict[str, str]
) -> None:
    keep_previous(door)
    body = spelled(found, {}, ascii_=True)
    before = count(door)

    answer = ask(door, body, {**more, **proof(door, body, secret)})

    is_ours = secret in (SECRET_TOKEN, PREVIOUS)
    assert answer.status == ("200" if is_ours else "401")
    assert count(door) - before == is_ours


@quickly
@given(stored=blanks, key=blanks, found=objects)
def test_a_blank_secret_lets_nobody_in(
    door: HooksClient, *, stored: SecretStr, key: SecretStr, found: dict[str, Any]
) -> None:
    door.add_app(stored)
    body = spelled(found, {}, ascii_=True)

    answer = ask(door, body, proof(door, body, key))

    assert (answer.status, count(door)) == ("503", 0)


@quickly
@given(
    found=objects,
    at=st.integers(0, 10_000),
    put=st.binary(max_size=3),
    taken=st.integers(0, 3),
    more=headers,
)
def test_a_body_altered_by_one_byte_is_never_stored(
    door: HooksClient,
    *,
    found: dict[str, Any],
    at: int,
    put: bytes,
    taken: int,
    more: dict[str, str],
) -> None:
    body = spelled(found, {}, ascii_=True)
    at %= len(body) + 1
    altered = body[:at] + put + body[at + taken :]
    before = count(door)

    answer = ask(door, altered, {**more, **proof(door, body)})

    assert answer.status == ("200" if altered == body else "401")
    assert count(door) - before == (altered == body)


@quickly
@given(found=objects, length=lengths, is_terminated=st.booleans())
def test_a_length_that_lies_never_stores_anything_but_what_was_signed(
    door: HooksClient,
    *,
    found: dict[str, Any],
    length: str,
    is_terminated: bool,
) -> None:
    body = spelled(found, {}, ascii_=True)
    before = count(door)
    lying = {"CONTENT_LENGTH": length, "wsgi.input_terminated": is_terminated}

    answer = ask(door, body, {**proof(door, body), **lying})

    assert answer.status in ("200", *REFUSALS)
    assert count(door) - before == (answer.status == "200")
    assert answer.status != "200" or newest_body(door, body) == body


@quickly
@given(
    plain=st.text(min_size=1, max_size=60),
    more_keys=st.dictionaries(st.text(max_size=8), values, max_size=3),
    event_ts=values,
    spelling=spellings,
    more=headers,
)
def test_a_challenge_is_always_answered_with_exactly_two_keys(
    door: HooksClient,
    *,
    plain: str,
    more_keys: dict[str, Any],
    event_ts: object,
    spelling: dict[str, Any],
    more: dict[str, str],
) -> None:
    payload = {**more_keys, "plainToken": plain}
    found = {"event": CHALLENGE, "event_ts": event_ts, "payload": payload}
    body = spelled(found, spelling, ascii_=True)

    answer = ask(door, body, {**more, **proof(door, body)})

    assert (answer.status, answer.mimetype) == ("200", "application/json")
    assert json.loads(answer.body) == signatures.answer_challenge(plain, SECRET_TOKEN)
    assert set(json.loads(answer.body)) == {"plainToken", "encryptedToken"}
    assert newest_body(door, body) == body


@quickly
@given(payload=values, more=headers)
def test_a_challenge_without_a_token_is_refused_not_guessed(
    door: HooksClient, *, payload: object, more: dict[str, str]
) -> None:
    body = json.dumps({"event": CHALLENGE, "payload": payload}).encode()

    answer = ask(door, body, {**more, **proof(door, body)})

    assert answer.status == "400"
    assert count(door) == 0


def keep_previous(door: HooksClient) -> None:
    if getattr(door, "has_previous", False):
        return
    with door.database.writing() as session:
        app = session.get_one(ZoomApp, door.app_id)
        app.previous_secret_token = door.vault.seal_text(
            PREVIOUS, table="zoom_app", column="previous_secret_token", row=app.id
        )
        session.add(app)
    door.has_previous = True  # type: ignore[attr-defined]  # once for all examples
