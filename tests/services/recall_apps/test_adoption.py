"""A workspace's apps in Recall: listed, and taken over as Zoom apps."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from dashboard.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    UpstreamError,
)
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import Environment, Kind, Routing
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.recall.records import Kind as RecallKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.recall_apps import adoption
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps
from dashboard.services.zoom_apps.credential_checks import WrongCredentialsError
from tests.fixtures.adoption import CLIENT_ID, LIST, AdoptingStage, an_adopting_stage
from tests.fixtures.audit import AUDIT_LOG
from tests.makers import API_KEY, CLIENT_SECRET, NOON, SECRET_TOKEN, a_workspace

NEW_SECRET, NEW_TOKEN = SecretStr("test-new-secret-0001"), SecretStr("test-new-token-1")


@pytest.fixture
def stage(runtime: Runtime, sandbox: RunningSandbox) -> AdoptingStage:
    return an_adopting_stage(runtime, sandbox)


def secrets(stage: AdoptingStage, zoom_app_id: UUID) -> tuple[SecretStr, SecretStr]:
    app, vault = stage.find(zoom_app_id), stage.runtime.vault
    return apps.client_secret(vault, app), apps.secret_token(vault, app)


def test_it_becomes_a_zoom_app_with_its_recall_id_and_what_recall_holds(
    stage: AdoptingStage,
) -> None:
    there = stage.by_hand()

    taken = stage.take_over(there)

    app = stage.find(taken.zoom_app_id)
    assert taken.error == ""
    assert (app.client_id, app.kind) == (CLIENT_ID, Kind.USER_LEVEL)
    assert (app.environment, app.routing) == (Environment.PRODUCTION, Routing.DIRECT)
    assert app.recall_app_id == UUID(there.id)
    assert app.recall_created_at == there.created_at
    assert app.workspace_id == stage.workspace.id
    assert app.verdict is Verdict.RIGHT
    assert secrets(stage, app.id) == (CLIENT_SECRET, SECRET_TOKEN)


def test_typed_secrets_win_and_are_given_to_recall(stage: AdoptingStage) -> None:
    there = stage.by_hand(client_secret="test-old-secret", webhook_secret="test-old")

    taken = stage.take_over(there, client_secret=CLIENT_SECRET, secret_token=NEW_TOKEN)

    assert secrets(stage, taken.zoom_app_id) == (CLIENT_SECRET, NEW_TOKEN)
    assert there.client_secret == CLIENT_SECRET.get_secret_value()
    assert there.webhook_secret == NEW_TOKEN.get_secret_value()


def test_both_steps_are_in_the_audit_log(stage: AdoptingStage) -> None:
    stage.take_over(stage.by_hand())

    with stage.runtime.database.reading() as session:
        acts = [entry.act for entry in session.exec(AUDIT_LOG)]
    assert acts == ["zoom_app.created", "zoom_app.adopted"]


@pytest.mark.parametrize(
    ("held", "field"),
    [
        ({"client_secret": "********"}, "client_secret"),
        ({"client_secret": "a"}, "client_secret"),
        ({"webhook_secret": "[redacted]"}, "secret_token"),
    ],
)
def test_a_secret_that_recall_does_not_show_is_asked_for(
    stage: AdoptingStage, held: dict[str, str], field: str
) -> None:
    there = stage.by_hand(**held)

    with pytest.raises(InvalidInputError, match="Copy it from Zoom") as told:
        stage.take_over(there)
    typed: dict[str, Any] = {"client_secret": CLIENT_SECRET, "secret_token": NEW_TOKEN}
    taken = stage.take_over(there, **{field: typed[field]})

    assert told.value.field == field
    assert taken.error == ""


@pytest.mark.parametrize(
    ("typed", "words"), [(None, "stored in Recall"), (NEW_SECRET, "tab Production")]
)
def test_a_wrong_pair_is_not_saved(
    stage: AdoptingStage, typed: SecretStr | None, words: str
) -> None:
    there = stage.by_hand(client_secret="test-old-secret")

    with pytest.raises(WrongCredentialsError, match=words):
        stage.take_over(there, client_secret=typed)

    assert stage.all() == []
    assert there.client_secret == "test-old-secret"


def test_pressing_again_gives_the_one_that_is_there(stage: AdoptingStage) -> None:
    there = stage.by_hand()
    first = stage.take_over(there)

    again = stage.take_over(there, name="Another name")

    assert again.zoom_app_id == first.zoom_app_id
    assert again.entered is None
    assert len(stage.all()) == 1


def test_two_presses_at_once_make_one(stage: AdoptingStage) -> None:
    there, both = stage.by_hand(), Barrier(2)

    def press(_: int) -> tuple[UUID, str]:
        both.wait(timeout=10)
        taken = stage.take_over(there)
        return taken.zoom_app_id, taken.error

    with ThreadPoolExecutor(2) as pool:
        made = set(pool.map(press, range(2)))

    (app,) = stage.all()
    assert made == {(app.id, "")}
    assert app.recall_app_id == UUID(there.id)


@pytest.mark.parametrize(
    "kind", [FaultKind.DOWN, FaultKind.HTML_403, FaultKind.NONSENSE]
)
def test_recall_failing_before_leaves_nothing(
    stage: AdoptingStage, kind: FaultKind
) -> None:
    there = stage.by_hand()
    stage.sandbox.recall_faults.set([Fault(kind=kind, path=LIST, method="GET")])

    with pytest.raises(UpstreamError):
        stage.take_over(there)

    assert stage.all() == []


def test_recall_failing_half_way_is_said_and_mended_by_pressing_again(
    stage: AdoptingStage,
) -> None:
    there = stage.by_hand(client_secret="test-old-secret")
    fault = Fault(kind=FaultKind.SERVER_ERROR, path=LIST, method="PATCH")
    stage.sandbox.recall_faults.set([fault])

    half = stage.take_over(there, client_secret=CLIENT_SECRET)
    before = stage.find(half.zoom_app_id).recall_app_id
    stage.sandbox.recall_faults.set([])
    whole = stage.take_over(there)

    assert "Recall" in half.error
    assert before is None
    assert whole.error == ""
    assert stage.find(half.zoom_app_id).recall_app_id == UUID(there.id)
    assert there.client_secret == CLIENT_SECRET.get_secret_value()


@pytest.mark.parametrize(
    ("over", "sentence"),
    [
        ({"recall_app_id": uuid4()}, "another Recall app"),
        ({"workspace_id": None}, "Press Create in Recall"),
    ],
)
def test_a_zoom_app_with_its_client_id_is_not_doubled(
    stage: AdoptingStage, over: dict[str, Any], sentence: str
) -> None:
    there = stage.by_hand()
    stage.here(client_id=CLIENT_ID, **over)

    with pytest.raises(ConflictError, match=sentence):
        stage.take_over(there)

    assert len(stage.all()) == 1


def test_the_kind_is_recalls(stage: AdoptingStage) -> None:
    there = stage.by_hand(kind=RecallKind.ACCOUNT_LEVEL)

    taken = stage.take_over(there)

    assert stage.find(taken.zoom_app_id).kind is Kind.ACCOUNT_LEVEL


def test_an_app_that_is_gone_meanwhile_is_said(stage: AdoptingStage) -> None:
    there = stage.by_hand()
    stage.sandbox.recall_world.remove_app(there)

    with pytest.raises(UpstreamError) as told:
        stage.take_over(there)

    assert told.value.status == 404


def test_an_app_of_ours_is_known_by_its_recall_id(stage: AdoptingStage) -> None:
    there = stage.by_hand()
    own = stage.here(recall_app_id=UUID(there.id), client_id=CLIENT_ID)

    row = stage.row(there)

    assert row.own == own
    assert (row.namesake, row.twins, row.may_be_taken) == (None, 0, False)


def test_an_app_made_by_hand_may_be_taken(stage: AdoptingStage) -> None:
    row = stage.row(stage.by_hand())

    assert (row.own, row.namesake, row.may_be_taken) == (None, None, True)


def test_an_app_is_ours_though_stored_with_another_key_of_the_workspace(
    stage: AdoptingStage,
) -> None:
    there = stage.by_hand()
    other = a_workspace(stage.runtime.vault, api_key_print="another")
    with stage.runtime.database.writing() as session:
        session.add(other)
    own = stage.here(recall_app_id=UUID(there.id), workspace_id=other.id)

    assert stage.row(there).own == own


@pytest.mark.parametrize("recall_app_id", [None, uuid4()])
def test_a_zoom_app_of_the_same_client_id_is_named(
    stage: AdoptingStage, recall_app_id: UUID | None
) -> None:
    there = stage.by_hand()
    namesake = stage.here(
        client_id=CLIENT_ID, recall_app_id=recall_app_id, workspace_id=None
    )

    row = stage.row(there)

    assert (row.own, row.namesake, row.may_be_taken) == (None, namesake, False)


def test_two_of_one_client_id_are_each_told_of_the_other(stage: AdoptingStage) -> None:
    twins = [stage.by_hand(), stage.by_hand()]
    alone = stage.by_hand("simAnother000000000001")

    assert [stage.row(one).twins for one in (*twins, alone)] == [1, 1, 0]


def test_an_app_that_recall_does_not_have_is_gone(stage: AdoptingStage) -> None:
    stage.by_hand()
    gone = stage.here(recall_app_id=uuid4())
    stage.here(recall_app_id=None)

    found = stage.listing()

    assert list(found.deleted) == [gone]
    assert len(found.rows) == 1
    assert (found.error, found.read_at) == ("", NOON)


def test_an_app_of_another_workspace_is_none_of_it(stage: AdoptingStage) -> None:
    stage.here(recall_app_id=uuid4(), workspace_id=None)

    assert list(stage.listing().deleted) == []


def test_one_that_recall_has_but_did_not_list_is_not_gone(
    stage: AdoptingStage,
) -> None:
    stage.sandbox.recall_world.set_switches({"page_size": 1})
    first = stage.by_hand()
    own = stage.here(recall_app_id=UUID(first.id))
    for number in range(41):  # more than the 40 pages that are read
        stage.by_hand(f"simMany{number:015}")

    found = stage.listing()

    assert found.is_part
    assert list(found.deleted) == []
    assert [row.app.id for row in found.rows if row.own] == [own.recall_app_id]


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.DOWN,
        FaultKind.UNAVAILABLE,
        FaultKind.SERVER_ERROR,
        FaultKind.HTML_403,
        FaultKind.RATE_LIMITED,
        FaultKind.RATE_LIMITED_BARE,
        FaultKind.NONSENSE,
        FaultKind.HALF_ANSWER,
    ],
)
def test_a_list_that_cannot_be_had_is_one_sentence_and_calls_none_gone(
    stage: AdoptingStage, kind: FaultKind
) -> None:
    own = stage.here(recall_app_id=uuid4())
    stage.sandbox.recall_faults.set([Fault(kind=kind, path=LIST)])

    found = stage.listing()

    assert len(found.error) > 20
    assert API_KEY.get_secret_value() not in found.error
    assert (list(found.rows), list(found.deleted)) == ([], [])
    assert list(found.unchecked) == [own]


def test_a_key_that_recall_refuses_is_said(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    stage = an_adopting_stage(runtime, sandbox)
    sandbox.recall_world.reset()

    assert "key" in stage.listing().error


def test_one_that_cannot_be_asked_about_is_not_gone(stage: AdoptingStage) -> None:
    own = stage.here(recall_app_id=uuid4())
    fault = Fault(kind=FaultKind.SERVER_ERROR, path=f"{LIST}{own.recall_app_id}/")
    stage.sandbox.recall_faults.set([fault])

    found = stage.listing()

    assert (list(found.deleted), list(found.unchecked)) == ([], [own])


def test_an_unknown_workspace_is_said(runtime: Runtime) -> None:
    with pytest.raises(NotFoundError):
        adoption.listing(runtime, uuid4())
