import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.services.receiver import events

APP = UUID(int=1)
CREATED = (
    b'{"event":"meeting.created","event_ts":1760000100456,"payload":{"account_id":'
    b'"AbCdEfGhIjKlMnOpQrStUv","operator_id":"zOpErAtOr","object":{"id":91234567890,'
    b'"host_id":"zUsEr0001AAAAAAAAAAAAA","topic":"Weekly"}}}'
)


def key(body: bytes, app: UUID = APP) -> bytes:
    return events.dedupe_key(app, body, events.parse(body))


def test_a_meeting_event_names_its_host_and_meeting() -> None:
    event = events.parse(CREATED)

    assert event.event == "meeting.created"
    assert event.event_ts == 1760000100456
    assert event.zoom_user_id == "zUsEr0001AAAAAAAAAAAAA"
    assert event.zoom_account_id == "AbCdEfGhIjKlMnOpQrStUv"
    assert event.meeting_id == 91234567890


HOST = "30R7kT7bTIKSNUFEuH_Qlg"


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        (
            "meeting.summary_completed",
            {"object": {"meeting_id": 97763643886, "meeting_host_id": HOST}},
        ),
        (
            "meeting.ai_companion_started",
            {"object": {"meeting_number": 97763643886, "host_id": HOST}},
        ),
        (
            "meeting.chat_message_file_sent",
            {"object": {"meeting_id": "97763643886", "host_id": HOST}},
        ),
        (
            "webinar.chat_message_file_sent",
            {"object": {"webinar_id": 97763643886, "webinar_host_id": HOST}},
        ),
        (
            "meeting.rtms_started",
            {"meeting_id": "97763643886", "host_id": HOST, "object": {}},
        ),
        (
            "zra.meeting_analyzed",
            {"object": {"id": "rec", "meeting_number": 97763643886, "host_id": HOST}},
        ),
        (
            "meeting.started",
            {"object": {"id": "uuid==", "meeting_id": 97763643886, "host_id": HOST}},
        ),
    ],
)
def test_the_number_and_the_host_are_found_where_zoom_writes_them(
    event: str, payload: dict[str, object]
) -> None:
    found = events.parse(json.dumps({"event": event, "payload": payload}).encode())

    assert (found.meeting_id, found.zoom_user_id) == (97763643886, HOST)


@pytest.mark.parametrize(
    "about",
    [
        {"id": 42, "meeting_id": "4444AAAiAAAAAiAiAiiAii=="},
        {"id": 42, "meeting_number": None, "meeting_id": {}},
    ],
)
def test_what_is_no_number_is_no_meeting(about: dict[str, object]) -> None:
    body = {"event": "phone.call", "payload": {"object": about}}

    assert events.parse(json.dumps(body).encode()).meeting_id is None


def test_an_account_is_found_in_the_object_too() -> None:
    body = b'{"event":"x","payload":{"object":{"account_id":"abc"}}}'

    assert events.parse(body).zoom_account_id == "abc"


def test_a_meeting_number_written_as_a_string_is_the_same_number() -> None:
    body = CREATED.replace(b"91234567890", b'"91234567890"')

    assert events.parse(body).meeting_id == 91234567890


def test_a_profile_event_names_its_user_and_no_meeting() -> None:
    event = events.parse(b'{"event":"user.updated","payload":{"object":{"id":"zU"}}}')

    assert event.zoom_user_id == "zU"
    assert event.meeting_id is None


def test_a_deauthorization_names_its_user_and_the_time_in_its_payload() -> None:
    event = events.parse(
        b'{"event":"app_deauthorized","payload":{"user_id":"zU","event_ts":"12"}}'
    )

    assert event.zoom_user_id == "zU"
    assert event.event_ts == 12


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"hello", id="not JSON"),
        pytest.param(b"\xff\xfe{}", id="invalid UTF-8"),
        pytest.param(b"[" * 200_000, id="deep nesting"),
        pytest.param(b'{"a":' * 100_000, id="deep objects"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b"NaN", id="NaN"),
    ],
)
def test_what_is_no_object_is_unreadable_and_says_nothing(body: bytes) -> None:
    assert events.parse(body) == events.Event()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(CREATED.replace(b"Weekly", b"cut \xe2\x82 here"), id="half"),
        pytest.param(b"\xef\xbb\xbf" + CREATED, id="byte order mark"),
        pytest.param(CREATED.decode().encode("utf-16"), id="UTF-16"),
    ],
)
def test_of_an_unreadable_body_is_read_what_can_be(body: bytes) -> None:
    event = events.parse(body)

    assert not event.is_readable
    assert event.canonical is None
    assert (event.event, event.meeting_id) == ("meeting.created", 91234567890)


@pytest.mark.parametrize(
    "body",
    [
        b'{"event":5,"event_ts":"noon","payload":[]}',
        b'{"event":{"a":1},"event_ts":true,"payload":{"object":"x"}}',
        b'{"event":null,"event_ts":1e999,"payload":{"object":{"id":{}}}}',
        b'{"event":[],"event_ts":-4,"payload":{"account_id":7,"object":null}}',
        b'{"event_ts":' + b"9" * 5000 + b"}",
    ],
)
def test_wrong_types_leave_fields_empty(body: bytes) -> None:
    event = events.parse(body)

    assert event.is_readable
    assert (event.event, event.event_ts, event.meeting_id) == ("", None, None)


def test_texts_fit_their_columns_on_any_database() -> None:
    event = events.parse(
        json.dumps(
            {"event": "e\0" * 200, "payload": {"account_id": "\ud800" * 99}}
        ).encode()
    )

    assert event.event == "e?" * 40
    assert event.zoom_account_id == "?" * 64


def test_a_challenge_token_that_cannot_be_signed_is_no_token() -> None:
    body = b'{"event":"endpoint.url_validation","payload":{"plainToken":"\\ud800"}}'

    assert events.parse(body).plain_token is None


def test_the_same_event_in_another_key_order_has_the_same_key() -> None:
    assert key(b'{"event":"x","event_ts":1}') == key(b'{"event_ts": 1, "event": "x"}')


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(b'{"a":1}', b'{"a":2}', id="value"),
        pytest.param(b'{"a":1}', b'{"a":"1"}', id="type"),
        pytest.param(b'{"a":1}', b'{"a":1.0}', id="number"),
        pytest.param(b'{"a":1}', b'{"a":true}', id="boolean"),
        pytest.param(b'{"a":0}', b'{"a":-0}', id="minus zero"),
        pytest.param(b'{"a":1e400}', b'{"a":1e500}', id="infinite"),
        pytest.param(b'{"a":0.1}', b'{"a":0.10000000000000001}', id="float digits"),
        pytest.param(b'{"a":1,"a":2}', b'{"a":2}', id="key twice"),
        pytest.param(b'{"a":1,"a":2}', b'{"a":3,"a":2}', id="hidden by a repeat"),
        pytest.param(b"\xff1", b"\xff2", id="bytes"),
    ],
)
def test_two_events_that_differ_have_two_keys(one: bytes, other: bytes) -> None:
    assert key(one) != key(other)


def test_the_same_event_of_two_zoom_apps_is_two() -> None:
    assert key(CREATED, UUID(int=1)) != key(CREATED, UUID(int=2))


@given(st.binary(max_size=300))
def test_any_bytes_can_be_read(body: bytes) -> None:
    assert len(key(body)) == 32


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), json_values), json_values)
def test_any_other_value_makes_another_key(
    event: dict[str, object], value: object
) -> None:
    changed = {**event, "event": value}
    one, other = (json.dumps(each).encode() for each in (event, changed))

    is_same = json.dumps(event, sort_keys=True) == json.dumps(changed, sort_keys=True)

    assert (key(one) == key(other)) is is_same
