"""What people paste into Explain, and what it is taken for."""

import dataclasses
from functools import partial
from urllib.parse import quote
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.services.explain.questions import Asked, Kind, read, spellings
from tests.fixtures.processor_time import is_quick

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
    ("mailto:Ana.O'Neil+x@EXAMPLE.com", email("Ana.O'Neil+x@EXAMPLE.com")),
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
    ("https://uni.zoom-x.de/my/ana", Asked(kind=Kind.NO_NUMBER)),
    ("uni.zoom-x.de/j/91234567890", number()),
    ("https://zoom.example.edu/my/ana", Asked(unread=("a link to zoom.example.edu",))),
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
    (
        "https://example.com/?mail=ana@example.com",
        Asked(unread=("a link to example.com",)),
    ),
    ("o'connor@example.com", email("o'connor@example.com")),
    ("o\u2019connor@example.com", email("o'connor@example.com")),
    ("Sinead O'Connor <o'connor@example.com>", email("o'connor@example.com")),
    ("'ana@example.com'", email()),
    ('"Nowak, Ana" <ana@example.com>', email()),
    ("write to ana@example.com.", email()),
    ("ana@b\u00fccher.example", email("ana@b\u00fccher.example")),
    ("ana@xn--bcher-kva.example", email("ana@xn--bcher-kva.example")),
    ("jos\u00e9@example.com", email("jos\u00e9@example.com")),
    ('"ana nowak"@example.com', email('"ana nowak"@example.com')),
    ("!#$%&*+/=?^_`{|}~-@example.com", email("!#$%&*+/=?^_`{|}~-@example.com")),
    ("<mailto:ana@example.com|ana@example.com>", email()),
    ("#$%&*+/=?^_`{}~-@example.com", email("#$%&*+/=?^_`{}~-@example.com")),
    ("ana%40example.com", email()),
    ("a@ana@example.com", Asked(unread=("the address \u2026@example.com",))),
    ('x"y z"@example.com', Asked(unread=("the address \u2026@example.com",))),
    ("ana..b@example.com", Asked(unread=("the address \u2026@example.com",))),
    ("ana@example.com/x", Asked(unread=("the address \u2026@example.com/x",))),
    (f"{NUMBER}.hunter2@zoomcrc.com", number()),
    (f"sip:{NUMBER}.hunter2.11.hunter2@zoomcrc.com", number()),
    (f"{NUMBER}..hunter2@lync.zoom.us", number()),
    (f"{NUMBER}@162.255.37.11", number()),
    ("hunter2@zoomcrc.com", Asked(kind=Kind.NO_NUMBER)),
    (
        "https://protect-eu.mimecast.com/s/abc123?domain=zoom.us",
        Asked(unread=("a link to protect-eu.mimecast.com",)),
    ),
    ("%2FajXp112QmuoKj4854875%3D%3D", Asked(kind=Kind.NO_NUMBER)),
    ("Meeting ID: 912 3456 7890 12", Asked()),
    ("912 3456 7890 1234", Asked()),
    ("ID 91234567890x", Asked()),
    (f"x{UUID_TEXT}", word(f"x{UUID_TEXT}")),
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


LINKS = [
    "https://uni.zoom-x.de/j/91234567890?pwd=hunter2",
    "https://uni-kassel.zoom-x.de/j/91234567890?pwd=a",
    "91234567890.123456@zoomcrc.com",
    "https://zoom.example.edu/j/91234567890",
    "https://zoom.us/account/my/report/participants/list?meetingId=91234567890",
    "https://zoom.us/j/912%203456%207890",
    "see https://zoom.us/j/91234567890.",
    "[join](https://zoom.us/j/91234567890)",
    "<https://zoom.us/j/91234567890|Join>",
    "https%3A%2F%2Fzoom.us%2Fj%2F91234567890",
    "https%253A%252F%252Fzoom.us%252Fj%252F91234567890",
    "https://zoom.us/signin?continue=https%3A%2F%2Fzoom.us%2Fj%2F91234567890",
    # Google, Outlook, Proofpoint 1 to 3, Slack, Barracuda, Cisco, Sophos, FireEye
    "https://www.google.com/url?q=https://us02web.zoom.us/j/91234567890%3Fpwd%3Dhunter2",
    "https://www.google.com/url?q=https://us02web.zoom.us/j/91234567890%3Fpwd%3Dabc&sa=D",
    (
        "https://eur02.safelinks.protection.outlook.com/?url=https%3A%2F%2F"
        "us02web.zoom.us%2Fj%2F91234567890%3Fpwd%3Dhunter2&data=05"
    ),
    "https://urldefense.proofpoint.com/v1/url?u=https://zoom.us/j/91234567890&k=x",
    "https://urldefense.proofpoint.com/v2/url?u=https-3A__zoom.us_j_91234567890&d=D",
    (
        "https://urldefense.proofpoint.com/v2/url?u=https-3A__us02web.zoom.us_j_"
        "91234567890-3Fpwd-3Dhunter2&d=Dw"
    ),
    "https://urldefense.com/v3/__https://zoom.us/j/91234567890?pwd=hunter2__;!!A!x$",
    "https://urldefense.com/v3/__https://us02web.zoom.us/j/91234567890__;!!A!x$",
    "https://slack-redir.net/link?url=https%3A%2F%2Fzoom.us%2Fj%2F91234567890",
    "https://linkprotect.cudasvc.com/url?a=https%3a%2f%2fzoom.us%2fj%2f91234567890&c=E",
    "https://secure-web.cisco.com/1abc/https%3A%2F%2Fzoom.us%2Fj%2F91234567890",
    "https://eu.protection.sophos.com/?u=aHR0cHM6Ly96b29tLnVzL2ovOTEyMzQ1Njc4OTA=",
    "https://protect2.fireeye.com/v1/url?k=1&u=https%3A%2F%2Fzoom.us%2Fj%2F91234567890",
    (  # Outlook's around Proofpoint's
        "https://eur02.safelinks.protection.outlook.com/?url=https%3A%2F%2F"
        "urldefense.com%2Fv3%2F__https%3A%2F%2Fzoom.us%2Fj%2F91234567890__%3B!!A"
    ),
]


@pytest.mark.parametrize("text", LINKS, ids=range(len(LINKS)))
def test_a_link_is_found_inside_what_wraps_it(text: str) -> None:
    assert read(text) == number()


@pytest.mark.parametrize(
    "email", ["ana@b\u00fccher.example", "Ana@XN--BCHER-KVA.example"]
)
def test_an_international_domain_is_found_in_both_spellings(email: str) -> None:
    both = {"ana@b\u00fccher.example", "ana@xn--bcher-kva.example"}

    assert both <= spellings(email)


def test_wrapped_links_are_followed_to_a_bounded_depth() -> None:
    deep = "https://zoom.us/j/91234567890"
    for _ in range(5):
        deep = f"https://a.example/?url={quote(deep, safe='')}"
    wide = "https://a.example/?" + "&".join(["u=https://b.example/?v=https://c"] * 300)

    assert [read(deep).kind, read(wide).kind] == [Kind.NOTHING, Kind.NOTHING]
    assert is_quick(partial(read, wide))


@pytest.mark.parametrize(("others", "found"), [(30, Kind.NUMBER), (50, Kind.NOTHING)])
def test_of_many_links_in_one_the_first_forty_are_looked_at(
    others: int, found: Kind
) -> None:
    query = [
        *(f"u{number}=https://b.example/" for number in range(others)),
        "u=https://zoom.us/j/91234567890",
    ]

    assert read("https://a.example/?" + "&".join(query)).kind is found


@pytest.mark.parametrize(
    "text", [text for text, _ in PASTED if "hunter2" in text] + LINKS
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
