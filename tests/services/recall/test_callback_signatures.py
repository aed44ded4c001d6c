"""Recall's signature: what the standard webhooks' library makes of each form."""

import base64
from datetime import timedelta

import pytest
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook

from dashboard.errors import InvalidInputError
from dashboard.services.recall.callback_signatures import Signed, require_secret, verify
from tests.makers import NOON

KEY = base64.b64encode(b"test-key-of-twenty-four-").decode()
SECRET = SecretStr(f"whsec_{KEY}")
OTHER = SecretStr("whsec_" + base64.b64encode(b"another-key-of-24-bytes!").decode())
NOW_S = str(int(NOON.timestamp()))


def signature(secret: SecretStr = SECRET, body: str = "", seconds: int = 0) -> str:
    at = NOON + timedelta(seconds=seconds)
    return Webhook(secret.get_secret_value()).sign("msg_1", at, body)


def headers(family: str = "webhook", **over: str | None) -> dict[str, str]:
    parts: dict[str, str | None] = {
        "id": "msg_1",
        "timestamp": NOW_S,
        "signature": signature(),
        **over,
    }
    return {f"{family}-{key}": value for key, value in parts.items() if value}


RIGHT = {
    "a signature of now": headers(),
    "the older names": headers("svix"),
    "one of several, while a secret is replaced": headers(
        signature=f"{signature(OTHER)} {signature()}"
    ),
    "beside another version": headers(signature=f"v2,abc {signature()}"),
    "almost five minutes old": headers(
        timestamp=str(int(NOW_S) - 299), signature=signature(seconds=-299)
    ),
    "almost five minutes ahead": headers(
        timestamp=str(int(NOW_S) + 299), signature=signature(seconds=299)
    ),
}
WRONG = {
    "another secret": headers(signature=signature(OTHER)),
    "another body": headers(signature=signature(body="{}")),
    "another id": headers(id="msg_2"),
    "another instant": headers(timestamp=str(int(NOW_S) + 1)),
    "too old": headers(
        timestamp=str(int(NOW_S) - 301), signature=signature(seconds=-301)
    ),
    "too far ahead": headers(
        timestamp=str(int(NOW_S) + 301), signature=signature(seconds=301)
    ),
    "the signature alone": headers(id=None, timestamp=None),
    "no signature": headers(signature=None),
    "no id": headers(id=None, signature=Webhook(f"whsec_{KEY}").sign("", NOON, "")),
    "no instant": headers(timestamp=None),
    "an instant in words": headers(timestamp="noon"),
    "a fraction": headers(timestamp=f"{NOW_S}.5"),
    "an instant beyond every calendar": headers(timestamp="9" * 12),
    "an instant beyond every number": headers(timestamp="9" * 5000),
    "other digits": headers(timestamp="\u0661\u0667"),
    "no comma": headers(signature="v1"),
    "no base64": headers(signature="v1,\u00e9"),
    "another version": headers(signature=signature().replace("v1,", "v2,")),
    "half a surrogate": headers(signature="v1,\ud800"),
}


@pytest.mark.parametrize("given", RIGHT.values(), ids=RIGHT.keys())
def test_what_recall_signed_is_right(given: dict[str, str]) -> None:
    assert verify(SECRET, given, b"", now=NOON) is Signed.RIGHT


@pytest.mark.parametrize("given", WRONG.values(), ids=WRONG.keys())
def test_what_it_did_not_sign_is_wrong(given: dict[str, str]) -> None:
    assert verify(SECRET, given, b"", now=NOON) is Signed.WRONG


def test_a_request_without_any_of_the_headers_is_unsigned() -> None:
    assert verify(SECRET, {"user-agent": "x"}, b"", now=NOON) is Signed.ABSENT


def test_a_body_that_is_no_text_is_wrong_and_no_error() -> None:
    assert verify(SECRET, headers(), b"\xff", now=NOON) is Signed.WRONG


@pytest.mark.parametrize("text", ["whsec_", "whsec_\u00e9\u00e9\u00e9", "whsec_a"])
def test_a_stored_secret_that_is_none_makes_every_signature_wrong(text: str) -> None:
    assert verify(SecretStr(text), headers(), b"", now=NOON) is Signed.WRONG


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is missing"),
        ("test-api-key-0001", "starts with whsec_"),
        ("whsec_", "incomplete"),
        ("whsec_c2hvcnQ=", "incomplete"),
        ("whsec_" + "\u00e9" * 40, "incomplete"),
        (f"whsec_{KEY[:10]} {KEY[10:]}", "white space"),
        ("whsec_" + "A" * 300, "may have 200"),
    ],
)
def test_what_is_no_secret_is_refused_without_repeating_it(
    text: str, says: str
) -> None:
    with pytest.raises(InvalidInputError, match=says) as caught:
        require_secret(SecretStr(text))

    assert caught.value.field == "verification_secret"
    assert not text.removeprefix("whsec_") or text[6:] not in str(caught.value)


def test_a_secret_is_taken() -> None:
    require_secret(SECRET)
