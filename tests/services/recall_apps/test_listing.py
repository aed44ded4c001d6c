"""What Recall has in a workspace, and whose it is."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from dashboard.db import Database
from dashboard.errors import NotFoundError
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.recall_apps import adoption
from dashboard.services.runtime import Runtime
from tests.fixtures.adoption import CLIENT_ID, LIST, AdoptingStage, an_adopting_stage
from tests.makers import API_KEY, NOON, a_workspace


@pytest.fixture
def stage(
    runtime: Runtime, sandbox: RunningSandbox, database: Database
) -> AdoptingStage:
    if not database.is_sqlite:
        runtime = replace(runtime, database=database)
    return an_adopting_stage(runtime, sandbox)


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
    for number in range(21):  # more than the 20 pages that are read
        stage.by_hand(f"simMany{number:015}")

    found = stage.listing()

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
