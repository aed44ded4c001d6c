"""Whose a credential at Recall is, and what becomes of one that is not to be used."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import col, select

from dashboard.clients.recall.replies import RecallCredential
from dashboard.models.connection import (
    AttemptOutcome,
    ConnectAttempt,
    Connection,
    ConnectionEvent,
)
from dashboard.models.erasure import Erasure, ErasureReason
from dashboard.models.invitation import InvitationState
from dashboard.models.zoom_app import Kind
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.connect.exchange_at_recall import (
    ExchangeAtRecall,
    GrantedAtRecall,
)
from dashboard.services.runtime import Runtime
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.fixtures.invitations import bo_of, go, invite, now_of, reconnect_link
from tests.makers import NOON, FakeClock, a_connection, a_zoom_app

CREDENTIALS = "/api/v2/zoom-oauth-credentials/"


def test_a_new_wrong_account_is_deleted_in_recall_and_not_kept(
    stage: ConnectStage,
) -> None:
    made = invite(stage, "ana@example.com")

    attempt = go(stage, made, bo_of(stage))

    tried = now_of(stage, made)
    assert attempt.outcome is AttemptOutcome.WRONG_ACCOUNT
    assert attempt.detail == "This link is for a***@example.com."
    assert (tried.state, tried.tried_as) == (
        InvitationState.WRONG_ACCOUNT,
        "b***@example.org",
    )
    assert stage.credentials() == []
    with stage.runtime.database.reading() as session:
        assert session.exec(select(Connection)).all() == []
        assert session.exec(select(Erasure)).all() == []


def test_after_a_wrong_account_the_right_one_may_still_come(
    stage: ConnectStage,
) -> None:
    made = invite(stage, "ana@example.com")
    go(stage, made, bo_of(stage))

    attempt = go(stage, made, stage.ana)

    assert attempt.outcome is AttemptOutcome.CONNECTED
    assert now_of(stage, made).state is InvitationState.DONE


def test_a_wrong_account_that_is_connected_already_was_merely_renewed(
    stage: ConnectStage, clock: FakeClock
) -> None:
    bo = bo_of(stage)
    connection = stage.connect(bo)
    made = invite(stage, "ana@example.com")
    clock.advance(minutes=1)

    attempt = go(stage, made, bo)

    assert (attempt.outcome, attempt.connection_id) == (
        AttemptOutcome.WRONG_ACCOUNT,
        None,
    )
    assert [one.user_id for one in stage.credentials()] == [bo.id]
    assert stage.connection(connection.id).reconnected_at == clock.now()


def test_a_wrong_account_that_recall_keeps_is_owed_to_be_deleted(
    lite: ConnectStage,
) -> None:
    made = invite(lite, "ana@example.com")
    refusing = Fault(kind=FaultKind.DOWN, path=CREDENTIALS, method="DELETE")
    lite.sandbox.recall_faults.set([refusing])

    attempt = go(lite, made, bo_of(lite))

    [credential] = lite.credentials()
    with lite.runtime.database.reading() as session:
        [owed] = session.exec(select(Erasure)).all()
    assert attempt.outcome is AttemptOutcome.WRONG_ACCOUNT
    assert str(owed.recall_credential_id) == credential.id
    whose = lite.runtime.vault.open_text(
        owed.zoom_user_id or b"", table="erasure", column="zoom_user_id", row=owed.id
    )
    assert whose.get_secret_value() == credential.user_id
    assert owed.ended_at is None
    assert owed.reason is ErasureReason.WRONG_ACCOUNT


def test_the_link_of_an_account_refuses_another_account(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    stage = a_connect_stage(runtime, sandbox, kind=Kind.ACCOUNT_LEVEL)
    sandbox.zoom_world.change_app(stage.app.client_id, published=True)
    connection = stage.connect()
    made = reconnect_link(stage, connection)
    foreign = sandbox.zoom_world.add_user(
        email="eve@example.net", role_name="Admin", account_id="OtherAccount0000000001"
    )

    wrong, right = go(stage, made, foreign), go(stage, made, stage.ana)

    assert wrong.outcome is AttemptOutcome.WRONG_ACCOUNT
    assert right.connection_id == connection.id


def test_a_profile_that_cannot_be_read_proves_nobody(lite: ConnectStage) -> None:
    made = invite(lite, "ana@example.com")
    lite.sandbox.zoom_world.switch(withheld_scopes=["user:read:user"])

    attempt = go(lite, made, lite.ana)

    assert attempt.outcome is AttemptOutcome.ZOOM_ERROR
    assert "user:read:user" in attempt.detail
    assert lite.credentials() == []


def a_credential(**over: Any) -> RecallCredential:
    return RecallCredential(**{"id": uuid4(), "oauth_app": uuid4(), **over})


def an_exchange(stage: ConnectStage) -> ExchangeAtRecall:
    attempt = stage.come_back(stage.allow(stage.begin()))
    return ExchangeAtRecall(stage.runtime, attempt)


KNOWN = uuid4()


@pytest.mark.parametrize(
    ("kind", "credential", "found"),
    [
        (Kind.USER_LEVEL, {"user_id": "zUser1"}, 0),
        (Kind.USER_LEVEL, {"user_id": "zUser2", "account_id": "zAccount1"}, None),
        (Kind.USER_LEVEL, {}, None),
        (Kind.USER_LEVEL, {"id": KNOWN}, 1),
        (Kind.ACCOUNT_LEVEL, {"account_id": "zAccount1"}, 0),
        (Kind.ACCOUNT_LEVEL, {"account_id": "zAccount2", "user_id": "zUser1"}, None),
        (Kind.ACCOUNT_LEVEL, {}, None),
        (Kind.ACCOUNT_LEVEL, {"id": KNOWN}, 1),
    ],
)
def test_a_credential_is_of_the_user_or_account_that_recall_names(
    runtime: Runtime,
    sandbox: RunningSandbox,
    kind: Kind,
    credential: dict[str, Any],
    found: int | None,
) -> None:
    stage = a_connect_stage(runtime, sandbox, kind=kind)
    named = {"zoom_user_id": "zUser1", "zoom_account_id": "zAccount1"}
    unnamed: dict[str, Any] = {"zoom_user_id": None, "zoom_account_id": None}
    rows = [
        a_connection(stage.app, recall_credential_id=uuid4(), **named),
        a_connection(stage.app, recall_credential_id=KNOWN, **unnamed),
    ]
    with runtime.database.writing() as session:
        session.add_all(rows)
    granted = GrantedAtRecall(
        credential=a_credential(**credential), user_id=None, account_id=None
    )
    exchange = an_exchange(stage)

    with runtime.database.writing() as session:
        row = exchange._find(session, granted)

    assert row == (None if found is None else rows[found])


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("ages", "others", "is_found"),
    [
        ([0 * MINUTE], [], True),
        ([MINUTE], [], True),
        ([MINUTE + timedelta(seconds=1)], [], False),
        ([None], [], False),
        ([2 * MINUTE, 0 * MINUTE, None], [], True),
        ([0 * MINUTE, 0 * MINUTE], [], False),
        ([], [], False),
        ([0 * MINUTE], [{"ended_at": NOON - 2 * MINUTE}], True),
        ([0 * MINUTE], [{"ended_at": NOON - MINUTE}], False),
        ([0 * MINUTE], [{"ended_at": NOON, "outcome": "connected"}], True),
        ([0 * MINUTE], [{"ended_at": NOON, "zoom_app_id": "another"}], True),
    ],
)
def test_a_lost_answer_is_the_one_new_credential_that_can_be_nobody_elses(
    lite: ConnectStage,
    ages: list[timedelta | None],
    others: list[dict[str, Any]],
    *,
    is_found: bool,
) -> None:
    exchange = an_exchange(lite)
    other_app = a_zoom_app(lite.runtime.vault)
    with lite.runtime.database.writing() as session:
        session.add(other_app)
        session.flush()
        for over in others:
            values = {"zoom_app_id": lite.app.id, "outcome": "unreachable", **over}
            if values["zoom_app_id"] == "another":
                values["zoom_app_id"] = other_app.id
            outcome = AttemptOutcome(values.pop("outcome"))
            session.add(
                ConnectAttempt(
                    state_hash=uuid4().hex,
                    browser_hash="b",
                    created_at=NOON,
                    expires_at=NOON,
                    outcome=outcome,
                    **values,
                )
            )
    found = [
        a_credential(created_at=None if age is None else (NOON - age).isoformat())
        for age in ages
    ]

    resolved = exchange._resolve_lost_answer(found, since=NOON)

    young = [one for one in found if one.created_at == NOON] or found
    assert resolved == (young[0] if is_found else None)


def test_a_credential_that_is_known_is_no_lost_answer(lite: ConnectStage) -> None:
    known, new = (a_credential(created_at=NOON.isoformat()) for _ in range(2))
    with lite.runtime.database.writing() as session:
        session.add(a_connection(lite.app, recall_credential_id=known.id))
    exchange = an_exchange(lite)

    found = exchange._resolve_lost_answer([known, new], since=NOON)
    none = exchange._resolve_lost_answer([known], since=NOON)

    assert (found, none) == (new, None)


def test_the_timeline_says_whether_a_user_connected_again(
    lite: ConnectStage, clock: FakeClock
) -> None:
    an_exchange(lite).run()
    clock.advance(minutes=1)
    an_exchange(lite).run()

    with lite.runtime.database.reading() as session:
        noted = session.exec(
            select(ConnectionEvent.words)
            .where(ConnectionEvent.kind == "grant")
            .order_by(col(ConnectionEvent.at))
        ).all()
    assert list(noted) == ["Connected.", "Reconnected with a new authorization."]


@pytest.mark.parametrize("kind", Kind)
def test_what_is_to_be_deleted_is_stored_with_whose_it_is(
    runtime: Runtime, sandbox: RunningSandbox, kind: Kind
) -> None:
    stage = a_connect_stage(runtime, sandbox, kind=kind)
    exchange, now = an_exchange(stage), runtime.clock.now()
    credential = a_credential(user_id="zUser1", account_id="zAccount1")
    granted = GrantedAtRecall(
        credential=credential, user_id="zUser1", account_id="zAccount1"
    )

    with runtime.database.writing() as session:
        exchange._reject(session, granted, now=now)
    with runtime.database.reading() as session:
        [owed] = session.exec(select(Erasure)).all()

    column = "zoom_user_id" if kind is Kind.USER_LEVEL else "zoom_account_id"
    sealed = {name: getattr(owed, name) for name in ("zoom_user_id", "zoom_account_id")}
    assert {name for name, value in sealed.items() if value} == {column}
    whose = runtime.vault.open_text(
        sealed[column], table="erasure", column=column, row=owed.id
    )
    expected = "zUser1" if kind is Kind.USER_LEVEL else "zAccount1"
    assert whose.get_secret_value() == expected
    assert (owed.recall_credential_id, owed.removed_at) == (credential.id, now)
    assert (owed.due_at - now, owed.deadline_at - now) == (
        timedelta(minutes=2),
        timedelta(days=10),
    )
