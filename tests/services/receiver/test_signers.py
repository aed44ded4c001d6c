"""What Recall refusing a signature is due to: told by the bytes, row by row."""

from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from dashboard.clients.delivery import Answer
from dashboard.models.zoom_app import Routing
from dashboard.services.receiver.keyring import AppCredentials, TokenChange
from dashboard.services.receiver.signatures import NamedSecret, sign, signed_bytes
from dashboard.services.receiver.signers import Stand, signer, stand
from dashboard.services.relay.answers import Next, Sign, judge

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
    assert signer(headers(NEW), BODY, BOTH) == BOTH[0]
    assert signer(headers(FORMER), BODY, BOTH) == BOTH[1]
    assert signer(headers(OLDEST), BODY, BOTH) is None
    assert signer(headers(NEW), BODY + b" ", BOTH) is None
    assert signer([], BODY, BOTH) is None


@pytest.mark.parametrize(
    ("secret", "in_recall", "seen", "expected"),
    [
        (NEW, False, False, Stand.NEWER),
        (NEW, False, True, Stand.NEWER),
        (NEW, True, False, Stand.GIVEN),
        (NEW, True, True, Stand.GIVEN),
        (FORMER, False, False, Stand.GIVEN),
        (FORMER, False, True, Stand.GIVEN),
        (FORMER, True, False, Stand.UNPROVEN),
        (FORMER, True, True, Stand.FORMER),
        (OLDEST, False, False, Stand.GIVEN),
        (OLDEST, True, False, Stand.UNPROVEN),
        (OLDEST, True, True, Stand.FORMER),
    ],
)
def test_how_it_stands_to_what_recall_was_given(
    secret: SecretStr, *, in_recall: bool, seen: bool, expected: Stand
) -> None:
    app = an_app(TokenChange(is_in_recall=in_recall, is_seen=seen))

    assert stand(app, headers(secret), BODY) is expected


def test_without_a_change_or_a_secret_to_prove_it_nothing_is_called_former() -> None:
    done = TokenChange(is_in_recall=True, is_seen=True)

    assert stand(an_app(None), headers(OLDEST), BODY) is Stand.GIVEN
    assert stand(an_app(done, secrets=()), headers(FORMER), BODY) is Stand.GIVEN


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    ("of", "next_", "sign_", "words"),
    [
        (Stand.GIVEN, Next.WAIT, Sign.STOP, "it holds another secret token"),
        (Stand.NEWER, Next.WAIT, Sign.NONE, "Recall has the former secret token still"),
        (Stand.UNPROVEN, Next.WAIT, Sign.STOP, "Zoom still signs with the former"),
        (Stand.FORMER, Next.DEAD, Sign.NONE, "which Recall does not hold any more"),
    ],
)
def test_a_refused_signature_says_only_what_it_can(
    status: int, of: Stand, next_: Next, sign_: Sign, words: str
) -> None:
    judged = judge(Answer(status=status, body=b"{}"), stand=of)

    assert (judged.next, judged.zoom_app) == (next_, sign_)
    assert words in judged.sentence


@pytest.mark.parametrize("status", [200, 404, 500])
def test_other_answers_are_judged_as_ever(status: int) -> None:
    answer = Answer(status=status, body=b"{}")

    assert judge(answer, stand=Stand.FORMER) == judge(answer)


def test_the_firewalls_page_says_nothing_of_a_signature() -> None:
    page = Answer(status=403, body=b"<html>", headers={"content-type": "text/html"})

    assert judge(page, stand=Stand.FORMER) == judge(page)
