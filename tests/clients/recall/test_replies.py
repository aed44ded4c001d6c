"""Recall's replies are taken leniently where the contract is silent, and cleanly."""

from datetime import UTC, datetime

import pytest
from pydantic import SecretStr, ValidationError

from dashboard.clients.recall.replies import (
    AccessToken,
    CredentialStatus,
    Mapping,
    MeetingSync,
    RecallApp,
    RecallAppSecrets,
    RecallCredential,
    RecallLog,
)
from tests.fixtures.vendors import AN_ID, answering, recall_at
from tests.makers import NOON


def a_credential(**over: object) -> RecallCredential:
    body = {"id": str(AN_ID), "oauth_app": str(AN_ID)}
    return RecallCredential.model_validate(body | over)


@pytest.mark.parametrize("odd", [None, 7, ["healthy"], "retired", ""])
def test_an_unlisted_status_is_unknown(odd: object) -> None:
    credential = a_credential(status=odd, meeting_sync_status=odd)

    assert credential.status is CredentialStatus.UNKNOWN
    assert credential.meeting_sync_status is MeetingSync.UNKNOWN


def test_an_older_reply_without_the_newer_fields_is_taken() -> None:
    credential = a_credential(user_id="zUsEr0001", account_id=None)

    assert credential.status is CredentialStatus.UNKNOWN
    assert (credential.user_id, credential.account_id) == ("zUsEr0001", None)


def test_a_callback_url_is_dropped_for_the_secret_in_it() -> None:
    url = "https://dashboard.example.com/tokens/test-key-0001"

    assert "test-key-0001" not in repr(a_credential(access_token_callback_url=url))


@pytest.mark.parametrize(
    "written",
    ["2026-11-23T12:00:00Z", "2026-11-23T13:00:00+01:00", "2026-11-23T12:00:00"],
)
def test_every_instant_is_aware_and_utc(written: str) -> None:
    instant = a_credential(created_at=written).created_at

    assert instant == NOON
    assert instant.tzinfo is UTC


def test_a_meeting_number_may_exceed_32_bits() -> None:
    body = {"meeting_id": 84731728293, "credential": str(AN_ID), "synced_at": NOON}

    assert Mapping.model_validate(body).meeting_id == 84731728293


@pytest.mark.parametrize("number", [0, -1, 2**63, "many", None])
def test_what_is_no_meeting_number_is_refused(number: object) -> None:
    body = {"meeting_id": number, "credential": str(AN_ID), "synced_at": NOON}

    with pytest.raises(ValidationError):
        Mapping.model_validate(body)


@pytest.mark.parametrize(
    "body",
    [
        {"token": "", "expires_at": NOON},
        {"token": None, "expires_at": NOON},
        {"access_token": "test-token-0001", "expires_at": NOON},
        {"token": "test-token-0001"},
    ],
)
def test_a_token_comes_whole_or_not_at_all(body: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        AccessToken.model_validate(body)

    assert "test-token-0001" not in str(caught.value)


@pytest.mark.parametrize("message", [None, 7, ["a"]])
def test_a_log_entry_without_words_is_an_empty_one(message: object) -> None:
    at = datetime(2026, 11, 23, 12, tzinfo=UTC)

    assert RecallLog.model_validate({"message": message, "created_at": at}) == (
        RecallLog(message="", created_at=at)
    )


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
