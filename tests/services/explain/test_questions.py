"""What people paste into Explain, and what it is taken for."""

import dataclasses
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.services.explain.questions import Asked, Kind, read

NUMBER, PMI = 91234567890, 5551234567
UUID_TEXT = "0b5e55ed-0000-4000-8000-00000000a001"
INVITATION = """Ana Nowak is inviting you to a scheduled Zoom meeting.

Topic: Weekly sync
Time: Nov 25, 2026 10:00 AM Warsaw

Join Zoom Meeting
https://example.zoom.us/j/91234567890?pwd=hunter2hunter2.1

Meeting ID: 912 3456 7890
Passcode: 555666777

One tap mobile
+16465588656,,91234567890#,,,,*555666777# US
Dial by your location: +1 646 558 8656 US
Join by SIP: 91234567890@zoomcrc.com
"""


def number(
    value: int = NUMBER, shown: str = "912 3456 7890", *, email: str = ""
) -> Asked:
    return Asked(kind=Kind.NUMBER, number=value, shown=shown, email=email)


def email(text: str = "ana@example.com") -> Asked:
    return Asked(kind=Kind.EMAIL, email=text, shown=text)


def word(text: str) -> Asked:
    return Asked(kind=Kind.WORD, word=text, shown=text)


WITH_EMAIL = number(shown="912 3456 7890 ana@example.com", email="ana@example.com")
A_UUID = Asked(kind=Kind.UUID, uuid=UUID(UUID_TEXT), shown=UUID_TEXT)
A_HOOK = Asked(kind=Kind.WEBHOOK, webhook_id=7501234567890123456)
PASTED = [
    ("ana@example.com", email()),
    (" \u200bAna Nowak <ana@example.com>, ", email()),
    ("a\0na@example.com", email()),
    ("mailto:Ana.O'Neil+x@EXAMPLE.com", email("Neil+x@EXAMPLE.com")),
    ("zUsEr0001AAAAAAAAAAAAA", word("zUsEr0001AAAAAAAAAAAAA")),
    ("_abc-DEF0123456789abcd", word("_abc-DEF0123456789abcd")),
    ("user-17", word("user-17")),
    ("555 123 4567", number(PMI, "555 123 4567")),
    ("912-3456-7890", number()),
    ("912\u20113456\u00a07890", number()),
    ("\uff19\uff11\uff12 3456 7890", number()),
    ("123456789", number(123456789, "123 456 789")),
    ("Meeting ID: 912 3456 7890", number()),
    ("bot asked in 912 3456 7890 today", number()),
    ("bot asked in 91234567890, why", number()),
    ("https://example.zoom.us/j/91234567890?pwd=hunter2", number()),
    ("HTTPS://US02WEB.ZOOM.US/wc/join/91234567890", number()),
    ("https://example.zoom.us/wc/91234567890/join", number()),
    ("https://example.zoom.us/s/91234567890#success", number()),
    ("https://example.zoomgov.com/w/91234567890", number()),
    ("zoom.us/j/5551234567", number(PMI, "555 123 4567")),
    ("zoommtg://zoom.us/join?confno=91234567890&pwd=hunter2", number()),
    (INVITATION, number()),
    (f"ana@example.com says\n{INVITATION}", WITH_EMAIL),
    (f"{INVITATION}\nAna <ana@example.com>", WITH_EMAIL),
    ("ana@example.com 912 3456 7890", WITH_EMAIL),
    ("https://example.zoom.us/my/ana", Asked(kind=Kind.NO_NUMBER)),
    (
        "https://zoom.us/meeting/register/tZ123456789abc",
        Asked(kind=Kind.NO_NUMBER),
    ),
    ("4444AAAiAAAAAiAiAiiAii==", Asked(kind=Kind.NO_NUMBER)),
    (UUID_TEXT.upper(), A_UUID),
    (f"https://d.example.com/connections/{UUID_TEXT}?x=1", A_UUID),
    ("7501234567890123456", A_HOOK),
    ("https://d.example.com/webhooks/7501234567890123456", A_HOOK),
    ("99999999999999999999", word("99999999999999999999")),
    ("call +1 646 558 8656", Asked()),
    ("2026-11-25 10:00:00", Asked()),
    ("Passcode: 555666777", Asked()),
    ("Passcode: 5556667771", Asked()),
    ("Dial 1-646-558-8656", Asked()),
    ("https://example.com/?mail=ana@example.com", Asked()),
    ("what is wrong?", Asked()),
    ("", Asked()),
]


@pytest.mark.parametrize(
    ("text", "asked"), PASTED, ids=[f"{n}" for n in range(len(PASTED))]
)
def test_what_is_pasted_is_understood(text: str, asked: Asked) -> None:
    found = read(text)

    shown = asked.shown or found.shown
    assert found == dataclasses.replace(asked, shown=shown)


@pytest.mark.parametrize(
    "text", [text for text, _ in PASTED if "hunter2" in text], ids=range(5)
)
def test_a_password_is_not_kept(text: str) -> None:
    assert "hunter2" not in repr(read(text))


@given(st.text(max_size=300))
def test_no_text_is_too_strange(text: str) -> None:
    asked = read(text)

    assert isinstance(asked, Asked)
    asked.shown.encode()  # whole characters, for any page and database
    asked.word.encode()
    assert "\0" not in asked.shown + asked.word + asked.email


PARTS = st.sampled_from([text for text, _ in PASTED] + ["\n", " ", "\0", "\ud800", "9"])


@given(st.lists(PARTS, max_size=8).map(" ".join))
def test_parts_of_sense_in_any_order_are_read(text: str) -> None:
    asked = read(text)

    assert asked.number is None or asked.number < 10**11
    assert asked.webhook_id is None or asked.webhook_id < 2**63


@given(st.from_regex(r"[1-9][0-9]{8,10}", fullmatch=True), st.sampled_from(" -"))
def test_a_number_is_read_however_it_is_grouped(digits: str, mark: str) -> None:
    grouped = mark.join((digits[:3], digits[3:6], digits[6:]))

    assert read(grouped).number == read(digits).number == int(digits)


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_what_follows_the_question_mark_is_never_kept(password: str) -> None:
    token = "".join(c for c in password if c.isalnum() and c.isascii())
    asked = read(f"https://example.zoom.us/j/91234567890?pwd=x{token}x")

    assert asked == number()
