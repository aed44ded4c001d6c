"""Nothing sensitive of a webhook's body is shown to support."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.services.webhook_log import redaction

MEETING = {
    "event": "meeting.created",
    "payload": {
        "operator": "ana.nowak@example.com",
        "object": {
            "id": 91234567890,
            "topic": "Weekly",
            "join_url": "https://example.zoom.us/j/91234567890?pwd=hush-in-link",
            "start_url": "https://example.zoom.us/s/91234567890?zak=hush-zak",
            "password": "hush-password",
            "h323_password": 482913,
            "settings": {
                "use_pmi": False,
                "alternative_hosts": "bob@example.com;mallory@example.com",
                "meeting_invitees": [{"email": "carol@example.com"}],
            },
        },
    },
}


def shown(value: object) -> str:
    return redaction.body(json.dumps(value).encode()).text


def test_a_meeting_keeps_what_helps_and_loses_what_is_sensitive() -> None:
    text = shown(MEETING)

    kept = ["meeting.created", "91234567890", "Weekly", "https://example.zoom.us/"]
    lost = ["hush", "482913", "ana.nowak", "bob", "mallory", "carol"]
    assert [word for word in kept if word not in text] == []
    assert [word for word in lost if word in text] == []


@pytest.mark.parametrize(
    "value",
    [
        {"password": "hush"},
        {"Password": "hush"},
        {"encrypted_password": "hush"},
        {"hostKey": "hush"},
        {"passcode": ["hush", {"deep": "hush"}]},
        {"access_token": "hush"},
        {"contact_email": "hush"},
        {"phone_number": "hush"},
        {"registration_url": "hush"},
        {"topic": "Join https://example.zoom.us/j/1?pwd=hush now"},
        {"topic": "Join example.zoom.us/j/1?pwd=hush now"},
        {"topic": "zoommtg://example.zoom.us/join?pwd=hush"},
        {"topic": "https://hush@example.zoom.us/j/1"},
        {"topic": "https://example.zoom.us/rec/share/hush"},
        {"agenda": "Passcode: hush"},
        {"agenda": "the password is hush"},
        {"agenda": "pwd=hush"},
        {"agenda": "write to hush@example.com"},
        {"agenda": "write to hush%40example.com"},
        {"hush@example.com": 1},
        [["hush@example.com"]],
        "hush@example.com",
    ],
    ids=json.dumps,
)
def test_sensitive_in_any_place_is_hidden(value: object) -> None:
    assert "hush" not in shown(value)


@given(email=st.emails())
def test_no_email_is_ever_shown(email: str) -> None:
    text = shown({"operator": f"hush{email}", "topic": f"Call hush{email} today"})

    assert email not in text
    assert "hush" not in text


SECRETS = st.text("abcdefghijkmnpqrstuvwxyz23456789", min_size=12, max_size=20)


@given(secret=SECRETS, around=st.sampled_from(["{}", "x {} y", "<{}>", '"{}"', "({})"]))
def test_no_link_shows_its_password(secret: str, around: str) -> None:
    link = around.format(f"https://example.zoom.us/j/91234567890?pwd={secret}")

    assert secret not in shown({"topic": link, "join_url": link, "x": [{"y": link}]})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_is_redacted_without_failing(value: object) -> None:
    found = redaction.body(json.dumps(value).encode())

    assert found.is_readable
    json.loads(found.text)


@pytest.mark.parametrize(
    "raw",
    [b"", b"hush", b"\xff\xfe", b'{"password": "hush"', b"[" * 100_000],
    ids=["empty", "text", "no text", "cut off", "deep"],
)
def test_what_cannot_be_told_apart_is_hidden_whole(raw: bytes) -> None:
    found = redaction.body(raw)

    assert (found.text, found.is_readable) == ("", False)


def test_the_meeting_itself_stays_readable() -> None:
    text = shown({"use_pmi": True, "type": 2, "duration": 30, "plainToken": "abc"})

    assert json.loads(text) == {
        "use_pmi": True,
        "type": 2,
        "duration": 30,
        "plainToken": "abc",
    }


def test_credentials_in_headers_are_hidden() -> None:
    found = redaction.headers(
        [("authorization", "Bearer hush"), ("cookie", "hush"), ("clientid", "simC1")]
    )

    assert found == [
        ("authorization", redaction.HIDDEN),
        ("cookie", redaction.HIDDEN),
        ("clientid", "simC1"),
    ]
