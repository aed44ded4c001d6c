"""Secrets that Recall shows of an app, and what is none though it stands there."""

import pytest
from pydantic import SecretStr

from dashboard.clients.recall.replies import RecallApp, RecallAppSecrets
from tests.fixtures.vendors import AN_ID, answering, recall_at

SHOWN = "aB3_dE6-gH9jK2mN5pQ8sT"


def an_app(**over: object) -> dict[str, object]:
    return {
        "id": str(AN_ID),
        "kind": "user_level",
        "client_id": "simClient0000000000001",
        "client_secret": SHOWN,
        "webhook_secret": f"{SHOWN}x",
        "created_at": "2026-11-23T12:00:00Z",
        **over,
    }


def test_what_recall_shows_is_taken() -> None:
    found = recall_at(answering(body=an_app())).get_app_secrets(AN_ID)

    assert found.client_secret == SecretStr(SHOWN)
    assert found.webhook_secret == SecretStr(f"{SHOWN}x")
    assert SHOWN not in repr(found)


@pytest.mark.parametrize(
    "odd",
    [
        *(None, "", "  ", 7, ["x"], {"value": SHOWN}),
        *("a", "********", "••••••••", "xxxxxxxx", "--------"),
        *("aB3_******************", "…sT", "aB3…"),
        *("redacted", "[REDACTED]", "<hidden>", "(masked)"),
    ],
)
def test_what_cannot_be_a_secret_is_left_out(odd: object) -> None:
    body = an_app(client_secret=odd, webhook_secret=odd)

    found = RecallAppSecrets.model_validate(body)

    assert (found.client_secret, found.webhook_secret) == (None, None)


def test_a_reply_without_secrets_is_taken() -> None:
    body = an_app()
    del body["client_secret"], body["webhook_secret"]

    found = RecallAppSecrets.model_validate(body)

    assert (found.client_secret, found.webhook_secret) == (None, None)


def test_everybody_else_still_gets_none() -> None:
    assert not {"client_secret", "webhook_secret"} & RecallApp.model_fields.keys()
