"""Each refusal of Recall says what happened and who can act."""

import pytest
from pydantic import SecretStr

from dashboard.clients.recall.api import Recall
from tests.fixtures.vendors import Stage, answering, recall_at, refusal_of


def test_a_right_key_passes_the_check(stage: Stage) -> None:
    stage.recall.check_key()


@pytest.mark.parametrize("key", ["another-key-0001", "kéy-0001"])
def test_a_wrong_key_is_named_as_such(stage: Stage, key: str) -> None:
    recall = Recall(stage.sandbox.recall_url, SecretStr(key))

    error = refusal_of(recall.check_key)
    recall.close()

    host = stage.sandbox.recall_url.removeprefix("http://")
    assert f"does not know this API key in {host}" in str(error)
    assert (error.status, error.retryable) == (401, False)
    assert error.code == "authentication_failed"


@pytest.mark.parametrize("key", ["two\nlines-0001", "lines-0001\x00", ""])
def test_a_key_that_http_cannot_carry_is_told_without_it(
    stage: Stage, key: str
) -> None:
    recall = Recall(stage.sandbox.recall_url, SecretStr(key))

    error = refusal_of(recall.check_key)
    recall.close()

    assert "could not be sent" in str(error)
    assert "lines-0001" not in str(error)


@pytest.mark.parametrize(
    ("status", "says", "retryable"),
    [
        (400, "rejected the request", False),
        (402, "out of credit", False),
        (403, "doesn't allow this API key", False),
        (404, "does not have this in us-west-2.recall.ai", False),
        (405, "does not allow this", False),
        (408, "safe to try again", True),
        (409, "still processing an earlier request", True),
        (418, "HTTP status 418", False),
        (429, "safe to try again", True),
        (502, "only Recall can fix that", True),
        (507, "no bot free", True),
    ],
)
def test_each_status_says_what_happened(
    status: int,
    says: str,
    retryable: bool,  # noqa: FBT001 - a column of the table
) -> None:
    error = refusal_of(recall_at(answering(status, {"detail": "So."})).check_key)

    assert says in str(error)
    assert (error.status, error.retryable) == (status, retryable)
    assert error.detail == "So."
    assert error.may_have_happened == (status == 409 or status >= 500)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (400, True),
        (403, True),
        (402, False),
        (404, False),
        (429, False),
        (500, False),
    ],
)
def test_recalls_own_reason_is_told_where_somebody_can_act_on_it(
    status: int,
    told: bool,  # noqa: FBT001 - a column of the table
) -> None:
    error = refusal_of(recall_at(answering(status, {"detail": "So."})).check_key)

    assert error.message().endswith("Recall said: So.") is told
    assert error.message().startswith(str(error))


def test_a_page_with_another_status_is_not_the_firewall() -> None:
    error = refusal_of(recall_at(answering(404, b"<html>")).check_key)

    assert "us-west-2.recall.ai is the right address" in str(error)


def test_a_spent_workspace_is_told(stage: Stage) -> None:
    stage.sandbox.recall_world.set_switches({"credit_spent": True})

    error = refusal_of(stage.recall.check_key)

    assert (error.status, error.code) == (402, "insufficient_credit")
