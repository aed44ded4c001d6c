"""Recall's replies are taken leniently where the contract is silent, and cleanly."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from pydantic import ValidationError

from dashboard.clients.recall.replies import (
    AccessToken,
    CredentialStatus,
    Mapping,
    MeetingSync,
    RecallCredential,
    RecallLog,
)
from tests.makers import NOON

AN_ID = UUID("11111111-2222-4333-8444-555555555555")


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
