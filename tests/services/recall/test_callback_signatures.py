"""Recall's signature: what the standard webhooks' library makes of each form."""

import base64
from datetime import timedelta
from uuid import uuid4

import pytest
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook

from dashboard.db import Database
from dashboard.errors import InvalidInputError
from dashboard.models.held_grant import HeldGrant
from dashboard.services.recall.callback_signatures import (
    Calls,
    Signed,
    Signing,
    calls,
    put,
    require_secret,
    secret_of,
    tidy,
    verify,
)
from dashboard.vault import Vault, fingerprint
from tests.makers import NOON, a_connection, a_workspace, a_zoom_app

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
    "five minutes old": headers(
        timestamp=str(int(NOW_S) - 300), signature=signature(seconds=-300)
    ),
    "five minutes ahead": headers(
        timestamp=str(int(NOW_S) + 300), signature=signature(seconds=300)
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
    "now with a sign": headers(timestamp=f"+{NOW_S}"),
    "now in other digits": headers(
        timestamp=NOW_S.translate({ord(str(n)): 0x0660 + n for n in range(10)})
    ),
    "behind too many others": headers(
        signature=" ".join([signature(OTHER)] * 17 + [signature()])
    ),
    "behind a tab": headers(signature=f"{signature(OTHER)}\t{signature()}"),
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
        ("", "verification secret is missing"),
        ("test-api-key-0001", "starts with whsec_"),
        ("whsec_", "incomplete"),
        ("whsec_c2hvcnQ=", "incomplete"),
        ("whsec_" + base64.b64encode(b"k" * 15).decode(), "incomplete"),
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


@pytest.mark.parametrize("text", [KEY, base64.b64encode(b"k" * 16).decode()])
def test_a_secret_is_taken(text: str) -> None:
    require_secret(SecretStr(f"whsec_{text}"))


def test_a_pasted_secret_loses_the_spaces_around_it() -> None:
    pasted = SecretStr(f" {SECRET.get_secret_value()}\n")

    tidied = tidy(Signing(secret=pasted, is_required=True))

    assert tidied == (Signing(secret=SECRET, is_required=True), True)
    assert tidy(tidied[0]) == (tidied[0], False)
    kept = Signing(secret=None, is_required=False)
    assert tidy(kept) == (kept, False)


def test_what_is_no_secret_is_not_tidied() -> None:
    with pytest.raises(InvalidInputError, match="starts with whsec_"):
        tidy(Signing(secret=SecretStr("test-api-key-0001"), is_required=True))


def test_the_first_secret_turns_the_requirement_on_until_an_admin_turns_it_off(
    vault: Vault,
) -> None:
    workspace = a_workspace(vault)
    with pytest.raises(InvalidInputError, match="verification secret first") as caught:
        put(vault, workspace, Signing(secret=None, is_required=True), now=NOON)

    put(vault, workspace, Signing(secret=SECRET, is_required=False), now=NOON)
    first = workspace.requires_signature
    put(vault, workspace, Signing(secret=None, is_required=False), now=NOON)
    off = workspace.requires_signature
    put(vault, workspace, Signing(secret=OTHER, is_required=False), now=NOON)
    replaced = workspace.requires_signature
    put(vault, workspace, Signing(secret=None, is_required=True), now=NOON)

    assert caught.value.field == "requires_signature"
    assert (first, off, replaced) == (True, False, False)
    assert workspace.requires_signature


def test_a_secret_is_stored_sealed_with_what_pages_show_of_it(vault: Vault) -> None:
    workspace = a_workspace(vault)
    none = secret_of(vault, workspace)

    put(vault, workspace, Signing(secret=SECRET, is_required=True), now=NOON)
    later = NOON + timedelta(days=1)
    put(vault, workspace, Signing(secret=None, is_required=True), now=later)

    assert none is None
    assert secret_of(vault, workspace) == SECRET
    assert SECRET.get_secret_value().encode() not in (
        workspace.verification_secret or b""
    )
    assert workspace.verification_secret_print == fingerprint(SECRET)
    assert workspace.verification_secret_length == len(SECRET.get_secret_value())
    assert workspace.verification_secret_set_at == NOON
    opened = vault.open_text(
        workspace.verification_secret or b"",
        table="workspace",
        column="verification_secret",
        row=workspace.id,
    )
    assert opened == SECRET


def test_the_last_calls_of_a_workspace_are_the_newest_of_its_connections(
    database: Database, vault: Vault
) -> None:
    earlier, later = NOON - timedelta(hours=1), NOON
    with database.writing() as session:
        ours = a_workspace(vault)
        others = a_workspace(vault)
        session.add_all([ours, others])
        session.flush()
        for workspace, served_at, unsigned_at in (
            (ours, later, None),
            (ours, earlier, earlier),
            (others, later + timedelta(days=1), None),
        ):
            app = a_zoom_app(vault, workspace_id=workspace.id)
            session.add(app)
            session.flush()
            row = a_connection(app)
            session.add(row)
            session.flush()
            session.add(
                HeldGrant(
                    connection_id=row.id,
                    key_hash=uuid4().hex,
                    access_token=b"x",
                    refresh_token=b"x",
                    expires_at=NOON,
                    obtained_at=NOON,
                    refresh_due_at=NOON,
                    served_at=served_at,
                    unsigned_at=unsigned_at,
                )
            )

    with database.reading() as session:
        found = calls(session, ours.id)
        none = calls(session, uuid4())

    assert found == Calls(served_at=later, unsigned_at=earlier)
    assert none == Calls(served_at=None, unsigned_at=None)
