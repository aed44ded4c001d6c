"""Nothing sensitive of a webhook's body is shown to support."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.services.webhook_log import redaction
from tests.fixtures.processor_time import is_quick

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


def test_the_dial_in_of_another_provider_is_hidden_whole() -> None:
    text = shown(
        {
            "event": "user.tsp_updated",
            "payload": {
                "object": {
                    "id": "U",
                    "email": "a@example.com",
                    "tsp_credentials": {
                        "conference_code": "123456789",
                        "leader_pin": "123456",
                        "dial_in_numbers": [{"number": "+1 1000200200"}],
                    },
                }
            },
        }
    )

    assert "user.tsp_updated" in text
    for secret in ("a@example.com", "123456", "1000200200"):
        assert secret not in text


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
        {"topic": "https%3A%2F%2Fexample.zoom.us%2Fj%2F1%3Fpwd%3Dhush"},
        {"topic": r"https:\/\/example.zoom.us\/j\/1?pwd=hush"},
        {"topic": "uni.zoom-x.de/j/1?pwd=hush"},
        {
            "nested": json.dumps(
                {"join_url": "https://zoom.us/hush", "password": "hush"}
            )
        },
        {"nested": json.dumps(json.dumps({"leader_pin": "hush"}))},
        {"agenda": "パスコード\uff1ahush"},
        {"agenda": "Kenncode: hush"},
        {"agenda": "leader_pin=hush"},
        {"agenda": "write to hush%2540example.com"},
        {"alternative_hosts": "hush by name, without an at sign"},
        {"settings": {"alternativeHosts": ["hush"]}},
        {"tsp_credentials": {"leader_pin": "hush", "conference_code": "hush"}},
        {"session_pin": "hush"},
        {"participantPIN": "hush"},
        {"dial_in_numbers": [{"number": "hush", "label": "hush"}]},
        {"caller_number": "hush"},
        {"calleeDidNumber": "hush"},
        {"consumer_number": "hush"},
        {"extension_number": "hush"},
        {"meeting_pin": "hush"},
        {"access_code": ["hush"]},
        {"mobile": "hush"},
        {"hush@example.com": 1},
        [["hush@example.com"]],
        "hush@example.com",
    ],
    ids=json.dumps,
)
def test_sensitive_in_any_place_is_hidden(value: object) -> None:
    assert "hush" not in shown(value)


@pytest.mark.parametrize(
    "value",
    [
        {"from": "+1 555-010-0987"},
        {"to": "15550100987"},
        {"to": ["15550100987"]},
        {"to": [{"line": 15550100987}]},
        {"caller": "5550100987"},
        {"topic": "call +15550100987,,1#,,,,*15550100987#"},
        {"topic": "call 1-555-010-0987"},
        {"topic": "call (555) 010-0987"},
        {"topic": "tel:15550100987"},
        {"topic": "call 00 49 555 010-0987"},
    ],
    ids=json.dumps,
)
def test_a_telephone_number_is_hidden(value: object) -> None:
    assert "0987" not in shown(value)


def test_what_only_looks_like_a_code_or_a_phone_is_shown() -> None:
    value = {
        "country_code": "US",
        "error_code": 300,
        "file_extension": "MP4",
        "meeting_number": 91234567890,
        "opinion": "good",
        "from": "2026-11-20",
        "topic": "912 3456 7890 on 2026-11-20",
    }

    assert json.loads(shown(value)) == value


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
    raw = json.dumps(value).encode()

    assert json.loads(redaction.body(raw).text) is not ...
    everything = redaction.indented(raw)
    written = json.dumps(value, indent=2, ensure_ascii=False)
    assert everything.text == written.encode(errors="backslashreplace").decode()
    assert not everything.is_cut


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


MIB = 1024 * 1024
ODD = {
    "no blank": "会議の要点をまとめます。" * (MIB // 36),
    "letters": "a" * MIB,
    "words": "a " * (MIB // 2),
    "at signs": "a@" * (MIB // 2),
    "emails": "a@b.c " * (MIB // 6),
    "schemes": "://" * (MIB // 3),
    "hosts": "a." * (MIB // 2),
    "named": "password" * (MIB // 8),
    "named, then blanks": "pin" + " " * MIB,
    "named again and again": "pwd is " * (MIB // 7),
    "digits": "1" * MIB,
    "plus signs": "+1" * (MIB // 2),
    "groups of digits": "111-111-" * (MIB // 8),
    "percents": "%25" * (MIB // 3),
    "quotes": '\\"' * (MIB // 4),
}
BODIES = {
    **{name: json.dumps({"topic": text}).encode() for name, text in ODD.items()},
    "a long key": json.dumps({"a" * MIB: 1}).encode(),
    "many keys": json.dumps({str(n): n for n in range(70_000)}).encode(),
    "many lists": b"[" + b"[]," * (MIB // 3 - 2) + b"1]",
    "deep and wide": b"[" * 300 + b"1," * (MIB // 2 - 400) + b"1" + b"]" * 300,
    "too deep": b"[" * MIB,
    "a huge integer": b"[" + b"9" * MIB + b"]",
    "many huge integers": b"[" + b",".join([b"9" * 4000] * 250) + b"]",
    "a long fraction": b"[0." + b"9" * MIB + b"]",
    "zeros": b"[" + b"0," * (MIB // 2) + b"0]",
}


@pytest.mark.parametrize("raw", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("show", [redaction.body, redaction.indented])
def test_the_largest_body_is_shown_within_a_tenth_of_a_second(
    show: Callable[[bytes], redaction.Shown], raw: bytes
) -> None:
    assert is_quick(lambda: show(raw[: MIB // 64]))
    assert is_quick(lambda: show(raw[:MIB]))
    found = show(raw[:MIB])
    assert len(found.text) < 8 * redaction.SHOWN_CHARS
    assert found.is_cut or len(found.text) <= redaction.SHOWN_CHARS
    assert found.text or found.why_hidden


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
def test_the_longest_text_is_redacted_within_a_tenth_of_a_second(value: str) -> None:
    assert is_quick(lambda: redaction.text(value[: MIB // 64]))
    assert is_quick(lambda: redaction.text(value))


@pytest.mark.parametrize("form", ["{}", "https://{}@zoom.us/x", "%40{}", "mailto:{}"])
def test_a_cut_never_shows_the_half_of_an_email(form: str) -> None:
    hushed = form.format("hushhushhushhush@example.com") + " and more" * 100

    for shift in (*range(0, 48, 3), 290, 300, 310, 320, 330):
        after_a_blank = "x" * (redaction.SHOWN_CHARS - shift - 20) + " "
        in_a_run = "ü" * (redaction.SHOWN_CHARS - shift - 20)
        for before in (after_a_blank, in_a_run):
            assert "hush" not in shown({"topic": before + hushed})


def test_what_was_left_out_is_said_and_the_rest_is_json() -> None:
    found = redaction.body(json.dumps({"a": ["b" * 50] * 5000}).encode())

    assert (found.is_readable, found.is_cut) == (True, True)
    assert json.loads(found.text)["a"][0] == "b" * 50


def test_half_a_character_and_a_huge_integer_can_be_shown() -> None:
    found = redaction.body(b'{"topic": "\\ud800", "id": ' + b"9" * 5000 + b"}")

    found.text.encode()
    assert json.loads(found.text) == {"topic": "\ud800", "id": "9" * 5000}


def test_beside_a_huge_integer_the_others_stay_numbers() -> None:
    long, longer = "1" * 300, "1" * 301
    raw = f'{{"huge": {"9" * 5000}, "n": 12, "long": {long}, "longer": {longer}}}'

    shown_of_it = json.loads(redaction.indented(raw.encode()).text)

    assert shown_of_it["n"] == 12
    assert shown_of_it["long"] == int(long)
    assert shown_of_it["longer"] == longer


@pytest.mark.parametrize(
    "link",
    [
        "zoom.us/rec/share/hush/part",
        "zoom.us/hush/x",
        "example.zoom.us/j/hush",
        "https://hush:hush@example.com/x",
        f"https://{'hush' * 64}.example.com/",
    ],
)
def test_of_a_link_only_a_host_is_shown(link: str) -> None:
    assert "hush" not in redaction.text(f"Join {link} now")


@pytest.mark.parametrize("length", [253, 254])
def test_no_host_is_longer_than_253_characters(length: int) -> None:
    host = "h" * length

    assert (host in redaction.text(f"https://{host}/")) is (length == 253)


def test_an_empty_link_stays_empty() -> None:
    assert json.loads(shown({"join_url": "", "password": ""})) == {
        "join_url": "",
        "password": "",
    }


@pytest.mark.parametrize(("depth", "is_cut"), [(40, False), (41, True)])
def test_what_is_nested_deeper_than_40_is_left_out(depth: int, *, is_cut: bool) -> None:
    found = redaction.body(b"[" * depth + b"1" + b"]" * depth)

    assert (found.is_cut, "…" in found.text, "1" in found.text) == (
        is_cut,
        is_cut,
        not is_cut,
    )


def test_an_object_of_too_many_names_is_json_even_so() -> None:
    found = redaction.body(json.dumps({str(n): "b" * 50 for n in range(5000)}).encode())

    assert found.is_cut
    assert json.loads(found.text)["0"] == "b" * 50


def test_of_a_long_text_the_beginning_is_returned_up_to_the_last_gap() -> None:
    whole = "a " * (redaction.SHOWN_CHARS // 2)
    run = "a" * (redaction.SHOWN_CHARS + 1)

    assert redaction.text(whole) == whole
    assert redaction.text(f"{whole}b c") == f"{whole}…"
    assert redaction.text(run) == f"{'a' * (redaction.SHOWN_CHARS - 320)}…"


def test_a_name_that_was_cut_is_said_whatever_follows() -> None:
    assert redaction.body(json.dumps({"k" * 1001: 1, "b": 2}).encode()).is_cut


def test_the_number_of_one_end_of_a_call_is_hidden_as_a_number_too() -> None:
    assert json.loads(shown({"from": 15550100987})) == {"from": redaction.HIDDEN}


@pytest.mark.parametrize(("lists", "is_readable"), [(99_999, True), (100_000, False)])
def test_a_body_of_too_many_parts_is_hidden_and_says_so(
    lists: int, *, is_readable: bool
) -> None:
    found = redaction.body(b"[" + b",".join([b"[]"] * lists) + b"]")
    objects = redaction.body(b"[{" * 60_000)

    assert found.is_readable is is_readable
    assert objects.why_hidden == redaction._TOO_MANY_PARTS


def test_who_may_see_everything_sees_it_all() -> None:
    raw = json.dumps(MEETING).encode()

    assert json.loads(redaction.indented(raw).text) == MEETING
