"""What an explanation may know of the other zoom apps, at the price of one query."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from dashboard.clients.delivery import Answer
from dashboard.db import Database
from dashboard.models.check import Finding
from dashboard.models.zoom_app import Environment, Routing, ZoomApp
from dashboard.services.receiver.keyring import (
    AppCredentials,
    SignedWith,
    TokenChange,
    signed_with,
)
from dashboard.services.receiver.signatures import (
    NamedSecret,
    sign,
    signed_bytes,
    signing_secret,
)
from dashboard.services.receiver.writer import WebhookWriter
from dashboard.services.relay.answers import Next, Signal, SignedTest, classify
from dashboard.vault import Vault
from tests.fixtures.receiver import limits, writer, zoom_app
from tests.makers import NOON, SECRET_TOKEN, saved_app

__all__ = ["limits", "writer", "zoom_app"]


def test_the_zoom_apps_are_asked_for_once_a_second_not_once_a_request(
    writer: WebhookWriter, zoom_app: AppCredentials, database: Database, vault: Vault
) -> None:
    first = writer.keyring.neighbours()
    with database.writing() as session:
        saved_app(session, vault)

    again = writer.keyring.neighbours()

    assert again is first
    assert [each.id for each in first] == [zoom_app.id]


def test_neighbours_are_the_newest_first_and_open_when_asked(
    writer: WebhookWriter, zoom_app: AppCredentials, database: Database, vault: Vault
) -> None:
    with database.writing() as session:
        newer = saved_app(
            session,
            vault,
            environment=Environment.PRODUCTION,
            created_at=NOON + timedelta(hours=1),
        )
        row = session.get_one(ZoomApp, newer)
        row.secret_token = vault.seal_text(
            SecretStr(" "), table="zoom_app", column="secret_token", row=newer
        )
        row.previous_secret_token = vault.seal_text(
            SECRET_TOKEN, table="zoom_app", column="previous_secret_token", row=newer
        )
        session.add(row)

    found = writer.keyring.neighbours()

    assert [each.id for each in found] == [newer, zoom_app.id]
    assert found[0].is_sibling(found[1])
    (secret,) = writer.keyring.secrets_of(found[0])
    assert (secret.name, secret.secret) == ("previous", SECRET_TOKEN)


def test_a_secret_that_the_key_does_not_open_is_none(
    writer: WebhookWriter, zoom_app: AppCredentials, database: Database
) -> None:
    with database.writing() as session:
        row = session.get_one(ZoomApp, zoom_app.id)
        row.secret_token = b"sealed with another key"
        session.add(row)

    (found,) = writer.keyring.neighbours()

    assert writer.keyring.secrets_of(found) == ()


NEW, FORMER = SecretStr("test-token-new"), SecretStr("test-token-former")
OLDEST = SecretStr("test-token-oldest")
BODY = b'{"event":"meeting.created"}'
BOTH = (
    NamedSecret(name="current", secret=NEW),
    NamedSecret(name="previous", secret=FORMER),
)


def headers(secret: SecretStr) -> list[tuple[str, str]]:
    signature = sign(signed_bytes("1760000000", BODY), secret).decode()
    return [("x-zm-request-timestamp", "1760000000"), ("x-zm-signature", signature)]


def an_app(change: TokenChange | None, **over: Any) -> AppCredentials:
    values: dict[str, Any] = {
        "id": UUID(int=1),
        "routing": Routing.RELAY,
        "secrets": BOTH,
        "has_recall_app": True,
        "version": 1,
        "change": change,
    }
    return AppCredentials(**(values | over))


def test_the_bytes_name_the_secret_token_whatever_the_row_says() -> None:
    assert signing_secret(headers(NEW), BODY, BOTH) == BOTH[0]
    assert signing_secret(headers(FORMER), BODY, BOTH) == BOTH[1]
    assert signing_secret(headers(OLDEST), BODY, BOTH) is None
    assert signing_secret(headers(NEW), BODY + b" ", BOTH) is None
    assert signing_secret([], BODY, BOTH) is None
    odd = [("x-zm-request-timestamp", "1"), ("x-zm-signature", "v0=\udcff")]
    assert signing_secret(odd, BODY, BOTH) is None


@pytest.mark.parametrize(
    ("secret", "in_recall", "seen", "expected"),
    [
        (NEW, False, False, SignedWith.NEWER),
        (NEW, False, True, SignedWith.NEWER),
        (NEW, True, False, SignedWith.GIVEN),
        (NEW, True, True, SignedWith.GIVEN),
        (FORMER, False, False, SignedWith.GIVEN),
        (FORMER, False, True, SignedWith.GIVEN),
        (FORMER, True, False, SignedWith.UNPROVEN),
        (FORMER, True, True, SignedWith.FORMER),
        (OLDEST, False, False, SignedWith.GIVEN),
        (OLDEST, True, False, SignedWith.UNPROVEN),
        (OLDEST, True, True, SignedWith.FORMER),
    ],
)
def test_how_it_stands_to_what_recall_was_given(
    secret: SecretStr, *, in_recall: bool, seen: bool, expected: SignedWith
) -> None:
    app = an_app(TokenChange(is_in_recall=in_recall, is_seen=seen))

    assert signed_with(app, headers(secret), BODY) is expected


def test_without_a_change_or_a_secret_to_prove_it_nothing_is_called_former() -> None:
    done = TokenChange(is_in_recall=True, is_seen=True)

    assert signed_with(an_app(None), headers(OLDEST), BODY) is SignedWith.GIVEN
    assert (
        signed_with(an_app(done, secrets=()), headers(FORMER), BODY) is SignedWith.GIVEN
    )


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    ("of", "next_", "sign_", "words"),
    [
        (SignedWith.GIVEN, Next.WAIT, Signal.STOP, "it has a different secret token"),
        (
            SignedWith.NEWER,
            Next.WAIT,
            Signal.NONE,
            "Recall still has the former secret token",
        ),
        (
            SignedWith.UNPROVEN,
            Next.WAIT,
            Signal.STOP,
            "Zoom still signs with the former",
        ),
        (
            SignedWith.FORMER,
            Next.DEAD,
            Signal.FINE,
            "which Recall no longer has",
        ),
    ],
)
def test_a_refused_signature_says_only_what_it_can(
    status: int, of: SignedWith, next_: Next, sign_: Signal, words: str
) -> None:
    passed = SignedTest(
        is_passed=True, status=200, finding=Finding.GOOD, detail="Passed."
    )
    classification = classify(
        Answer(status=status, body=b"{}"),
        signed_with=of,
        tested=passed if of is SignedWith.FORMER else None,
    )

    assert (classification.next, classification.zoom_app) == (next_, sign_)
    assert words in classification.sentence


@pytest.mark.parametrize("status", [200, 404, 500])
def test_other_answers_are_judged_as_ever(status: int) -> None:
    answer = Answer(status=status, body=b"{}")

    assert classify(answer, signed_with=SignedWith.FORMER) == classify(answer)


def test_the_firewalls_page_says_nothing_of_a_signature() -> None:
    page = Answer(status=403, body=b"<html>", headers={"content-type": "text/html"})

    assert classify(page, signed_with=SignedWith.FORMER) == classify(page)
