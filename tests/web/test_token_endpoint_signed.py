"""Recall's signature on its calls for tokens, and callers who guess keys."""

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from tests.fixtures.token_endpoint import UNKNOWN, TokenStage, stage
from tests.fixtures.transactions import Transactions

__all__ = ["stage"]


def test_a_signed_call_is_served_and_not_noted_as_unsigned(stage: TokenStage) -> None:
    stage.recall_signs(is_required=True)

    answer = stage.get(headers=stage.signed())
    stage.settle()

    assert answer.status_code == 200
    assert stage.held.grant().unsigned_at is None
    assert stage.held.grant().served_at == stage.runtime.clock.now()


def test_the_older_names_of_the_headers_serve_as_well(stage: TokenStage) -> None:
    stage.recall_signs(is_required=True)
    renamed = {
        name.replace("webhook-", "svix-"): value
        for name, value in stage.signed().items()
    }

    assert stage.get(headers=renamed).status_code == 200


@pytest.mark.parametrize("is_required", [False, True])
def test_a_wrong_signature_gets_nothing(
    stage: TokenStage, *, is_required: bool
) -> None:
    stage.recall_signs(is_required=is_required)
    wrong = stage.signed() | {"webhook-id": "msg_another"}

    for tail in ("", "/zak", "/obf?meeting_id=91234567890"):
        answer = stage.get(tail, headers=wrong)

        assert (answer.status_code, answer.text) == (401, "Unauthorized\n")
    stage.settle()
    assert stage.held.grant().served_at is None
    assert stage.held.grant().unsigned_at is None


def test_a_signature_that_came_twice_is_none(stage: TokenStage) -> None:
    stage.recall_signs()
    right = list(stage.signed().items())
    another = ("webhook-signature", "v1,x")

    assert stage.ask_loop(*right) == 200
    for lines in ([*right, another], [another, *right]):
        assert stage.ask_loop(*lines) == 401


@pytest.mark.parametrize(("is_required", "status"), [(False, 200), (True, 401)])
def test_an_unsigned_call_is_noted_or_refused_as_the_workspace_says(
    stage: TokenStage, *, is_required: bool, status: int
) -> None:
    stage.recall_signs(is_required=is_required)

    answer = stage.get()
    stage.settle()

    assert answer.status_code == status
    assert stage.held.grant().unsigned_at == stage.runtime.clock.now()


def test_without_a_secret_a_signature_proves_nothing(stage: TokenStage) -> None:
    headers = {"webhook-signature": "v1,x"}

    open_to_all = stage.get(headers=headers)
    stage.require(secret=None, is_required=True)
    closed = stage.get(headers=headers)

    assert (open_to_all.status_code, closed.status_code) == (200, 401)


def test_a_signature_of_another_secret_is_wrong(stage: TokenStage) -> None:
    stage.recall_signs()
    signed = stage.signed()
    stage.require(secret=SecretStr("whsec_" + "QUJD" * 8), is_required=False)

    assert stage.get(headers=signed).status_code == 401


def test_an_unknown_key_is_not_found_whatever_is_signed(stage: TokenStage) -> None:
    stage.recall_signs(is_required=True)

    answers = [
        stage.get(key=UNKNOWN, headers=headers) for headers in ({}, stage.signed())
    ]

    assert [one.status_code for one in answers] == [404, 404]


def test_who_guesses_is_slowed_down_and_who_knows_is_still_served(
    stage: TokenStage,
) -> None:
    guesses = [stage.get(key=UNKNOWN).status_code for _ in range(25)]

    assert set(guesses) == {404}
    assert stage.get().status_code == 200


def test_misses_are_counted_at_the_door_itself(stage: TokenStage) -> None:
    busy = stage.calls._unknown_callers._one_at_a_time

    with busy:  # as while another call of a guesser is looked at
        before = stage.get(key=UNKNOWN).status_code
    for _ in range(19):
        stage.get(key=UNKNOWN)
    with busy:
        after = stage.get(key=UNKNOWN).status_code

    assert (before, after) == (404, 429)


def test_what_was_served_and_what_was_rejected_is_counted(stage: TokenStage) -> None:
    stage.recall_signs(is_required=True)
    wrong = stage.signed() | {"webhook-id": "msg_another"}

    for headers in (stage.signed(), stage.signed(), stage.signed(), wrong, {}):
        stage.get(headers=headers)
    stage.get(key=UNKNOWN)
    stage.settle()

    grant = stage.held.grant()
    assert (grant.served_count, grant.rejected_count) == (3, 2)


def test_an_unsigned_request_that_is_allowed_is_not_rejected(stage: TokenStage) -> None:
    stage.recall_signs(is_required=False)

    stage.get()
    stage.settle()

    grant = stage.held.grant()
    assert (grant.served_count, grant.rejected_count) == (1, 0)


def test_many_that_are_refused_are_one_line_until_it_is_over(
    stage: TokenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.recall_signs(is_required=True)
    with capture_logs() as logs:
        caller = {"REMOTE_ADDR": "192.0.2.1"}
        statuses = {stage.get(environ_overrides=caller).status_code for _ in range(20)}
        stage.get(headers=stage.signed())  # one that is served is no end
        for each in stage.calls._refused._found.values():
            monkeypatch.setattr(each, "_calm_s", 0.0)
        stage.get(headers=stage.signed())

    assert statuses == {401}
    assert (logs[0]["connection"], logs[0]["signature"], logs[0]["address"]) == (
        str(stage.held.connection_id),
        "absent",
        "192.0.2.1",
    )
    assert [(each["event"], each.get("failures")) for each in logs] == [
        ("tokens.refused", None),
        ("tokens.no_longer_refused", 20),
    ]


def test_each_cause_of_refusals_has_its_own_line(stage: TokenStage) -> None:
    stage.recall_signs(is_required=True)

    with capture_logs() as logs:
        for headers in ({}, {}, {"webhook-signature": "v1,x"}):
            stage.get(headers=headers)

    assert [each["signature"] for each in logs] == ["absent", "wrong"]


@pytest.mark.parametrize("is_signed", [True, False])
def test_requests_within_a_minute_are_stored_with_few_transactions(
    stage: TokenStage, monkeypatch: pytest.MonkeyPatch, *, is_signed: bool
) -> None:
    stage.recall_signs(is_required=True)
    transactions = Transactions(stage.runtime.database, monkeypatch)

    for _ in range(5):
        stage.get(headers=stage.signed() if is_signed else {})
        stage.calls._usage._writer.submit(int).result()
    stage.settle()

    assert transactions.number == 2  # the first at once, the others together
