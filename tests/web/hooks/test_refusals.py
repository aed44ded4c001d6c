import io
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dashboard.models.webhook import (
    Mark,
    Outcome,
    Refusal,
    RefusalCount,
    Webhook,
    WebhookBody,
)
from tests.fixtures.hooks import HooksClient, door, event

__all__ = ["door"]

MIB = 1024 * 1024


def _deep() -> bytes:
    return b'{"a":' * 100_000 + b"1" + b"}" * 100_000


UNSIGNED = {"x-zm-signature": "v0=" + "0" * 64}
MISSING = {"x-zm-signature": None, "x-zm-request-timestamp": None}


@pytest.mark.parametrize(
    ("body", "headers", "status", "cause"),
    [
        pytest.param(b"", MISSING, 401, "missing_header", id="empty, unsigned"),
        pytest.param(b"hello", UNSIGNED, 401, "signature", id="not JSON, unsigned"),
        pytest.param(b"\xff", UNSIGNED, 401, "signature", id="invalid UTF-8"),
        pytest.param(_deep(), UNSIGNED, 401, "signature", id="deep nesting"),
        pytest.param(
            b'{"event":"endpoint.url_validation","payload":{"plainToken":7}}',
            {},
            400,
            "malformed",
            id="challenge of wrong type",
        ),
        pytest.param(
            b'{"event":"endpoint.url_validation","payload":[]}',
            {},
            400,
            "malformed",
            id="challenge without token",
        ),
        pytest.param(
            event(), {"x-zm-signature": None}, 401, "missing_header", id="no signature"
        ),
        pytest.param(
            event(),
            {"x-zm-request-timestamp": None},
            401,
            "missing_header",
            id="no timestamp",
        ),
        pytest.param(
            event(),
            {"x-zm-signature": "v0=ééé"},
            401,
            "bad_signature",
            id="non-ASCII signature",
        ),
        pytest.param(
            event(),
            {"x-zm-request-timestamp": "²³"},
            401,
            "bad_timestamp",
            id="non-ASCII timestamp",
        ),
        pytest.param(
            event(),
            {"x-zm-signature": "v0=abcd"},
            401,
            "bad_signature",
            id="signature of the wrong length",
        ),
        pytest.param(b"x" * 10 * MIB, {}, 413, "too_large", id="10 MiB"),
        pytest.param(b"x" * (MIB + 1), {}, 413, "too_large", id="one byte too many"),
    ],
)
def test_bad_input_is_refused_and_nothing_else_is_stored(
    door: HooksClient, body: bytes, headers: dict[str, str], status: int, cause: str
) -> None:
    response = door.post(body, headers=headers)

    assert response.status_code == status
    assert response.mimetype == "text/plain"
    assert len(response.data) < 40
    refusal = door.stored(Refusal)[0]
    assert (refusal.cause, refusal.status) == (cause, status)
    assert refusal.body_bytes == len(body)
    assert door.stored(RefusalCount)[0].requests == 1
    assert door.stored(Webhook) == door.stored(WebhookBody) == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"event":5,"event_ts":"x","payload":[]}',
        b'{"event":"meeting.created","payload":{"object":{"id":{},"host_id":7}}}',
        b"{}",
        b'{"event":"x","n":' + b"9" * 5000 + b"}",
    ],
)
def test_wrong_types_in_a_signed_event_do_not_stop_it(
    door: HooksClient, body: bytes
) -> None:
    assert door.post(body).status_code == 200
    assert len(door.stored(Webhook)) == 1


def test_exactly_one_mebibyte_is_taken(door: HooksClient) -> None:
    body = b'{"event":"' + b"x" * (MIB - 12) + b'"}'

    assert door.post(body).status_code == 200


class Unreadable(io.BytesIO):
    """A body that must not be read, or a sender that went away."""

    def read(self, _size: int | None = -1, /) -> bytes:
        raise ConnectionResetError


def test_a_large_body_is_refused_though_its_sender_goes_away(
    door: HooksClient,
) -> None:
    assert door.call(Unreadable(), CONTENT_LENGTH=str(10 * MIB)) == "413"


@pytest.mark.parametrize(("sent", "read"), [(10, 10), (40, 16)])
def test_a_large_body_is_read_on_to_a_limit_before_the_answer(
    door: HooksClient, sent: int, read: int
) -> None:
    body = io.BytesIO(b" " * sent * MIB)

    assert door.call(body, CONTENT_LENGTH=str(sent * MIB)) == "413"
    assert body.tell() == read * MIB


def test_a_large_body_that_its_sender_holds_back_is_not_asked_for(
    door: HooksClient,
) -> None:
    held = {"CONTENT_LENGTH": str(10 * MIB), "HTTP_EXPECT": "100-continue"}

    body = io.BytesIO(b" " * MIB)

    assert door.call(body, **held) == "413"
    assert body.tell() == 0


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"hello", id="not JSON"),
        pytest.param(b"[1]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"event":"meeting.created"} // a comment', id="comment"),
        pytest.param(b"\xff\xfe\x00", id="not UTF-8"),
        pytest.param(b'{"event":"meeting.created","t":"\xe2\x82"}', id="half"),
        pytest.param(b'\xef\xbb\xbf{"event":"meeting.created"}', id="byte order mark"),
        pytest.param(_deep(), id="deep nesting"),
    ],
)
def test_a_signed_body_that_is_no_json_object_is_stored_as_it_came_and_marked(
    door: HooksClient, body: bytes
) -> None:
    first, again = door.post(body), door.post(body)

    assert (first.status_code, first.data, again.status_code) == (200, b"", 200)
    [webhook] = door.stored(Webhook)
    assert (webhook.marks, webhook.arrivals) == ((Mark.UNREADABLE,), 2)
    assert webhook.outcome is Outcome.WAITING
    [sealed] = door.stored(WebhookBody)
    place = {"table": "webhook_body", "column": "body", "row": webhook.id}
    assert door.vault.open(sealed.body, **place) == body


def test_chunks_without_a_length_are_taken_up_to_the_limit(
    door: HooksClient,
) -> None:
    endless = io.BytesIO(b"x" * 3 * MIB)
    chunked = {"wsgi.input_terminated": True}

    taken = door.call(event(), **chunked, **door.signed(event()))
    refused = door.call(endless, **chunked)

    assert (taken, refused) == ("200", "413")
    assert endless.tell() == 3 * MIB  # read on, so that the answer arrives


def test_a_body_shorter_than_declared_is_explained(door: HooksClient) -> None:
    body = event()

    status = door.call(body[:-5], CONTENT_LENGTH=str(len(body)), **door.signed(body))

    assert status == "401"
    detail = door.stored(Refusal)[0].detail
    assert f"Content-Length says {len(body)} bytes, but {len(body) - 5}" in detail


@pytest.mark.parametrize("length", ["abc", "-5", "1e3", "٣"])
def test_a_length_that_is_no_number_is_refused(door: HooksClient, length: str) -> None:
    response = door.post(event(), environ_overrides={"CONTENT_LENGTH": length})

    assert response.status_code == 400
    assert door.stored(Webhook) == []


def test_a_sender_that_goes_away_is_no_error_of_ours(door: HooksClient) -> None:
    assert door.call(Unreadable(), CONTENT_LENGTH="5") == "400"


header_text = st.text(st.characters(max_codepoint=255), max_size=40)


@hypothesis_settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    body=st.binary(max_size=200),
    proof=st.tuples(
        st.none() | header_text | st.from_regex(r"\Av0=[0-9a-f]{64}\Z"),
        st.none() | header_text | st.from_regex(r"\A[0-9]{1,13}\Z"),
    ),
    more=st.dictionaries(st.from_regex(r"\AHTTP_[A-Z_]{1,12}\Z"), header_text),
    length=st.text(max_size=5) | st.integers(-5, 400).map(str),
)
def test_whatever_a_stranger_sends_is_never_a_500_and_never_stored(
    door: HooksClient,
    body: bytes,
    proof: tuple[str | None, str | None],
    more: dict[str, str],
    length: str,
) -> None:
    signature, timestamp = proof
    environ: dict[str, Any] = {
        **more,
        "CONTENT_LENGTH": length,
        "HTTP_X_ZM_SIGNATURE": signature,
        "HTTP_X_ZM_REQUEST_TIMESTAMP": timestamp,
    }
    present = {key: value for key, value in environ.items() if value is not None}

    status = door.call(body, **present)

    assert status in ("400", "401", "413")
    assert door.stored(Webhook) == []
