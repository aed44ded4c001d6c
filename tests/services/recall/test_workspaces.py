"""Workspaces: the key is tried at Recall before it is used."""

import pytest
from pydantic import SecretStr

from dashboard.errors import ConflictError, InvalidInputError
from dashboard.models.workspace import Verdict, Workspace
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services import audit
from dashboard.services.recall import workspaces
from dashboard.services.recall.workspaces import Entered, NewWorkspace
from dashboard.services.runtime import Runtime
from tests.makers import API_KEY

CLERK = audit.COMMAND_LINE


@pytest.fixture(autouse=True)
def _known_key(sandbox: RunningSandbox) -> None:
    sandbox.recall_world.add_workspace("us-east-1", API_KEY.get_secret_value())


def add(
    runtime: Runtime, api_key: SecretStr = API_KEY, region: str = "us-east-1"
) -> Entered:
    values = NewWorkspace(name="Main", region=region, api_key=api_key)
    return workspaces.create(runtime, values, actor=CLERK)


def only(runtime: Runtime) -> Workspace:
    with runtime.database.reading() as session:
        (found,) = workspaces.list_all(session)
        return found


def break_recall(sandbox: RunningSandbox, kind: FaultKind) -> None:
    sandbox.recall_faults.set([Fault(kind=kind, path="/api/")])


def test_a_key_that_recall_takes_is_saved_as_right(runtime: Runtime) -> None:
    entered = add(runtime)

    kept = only(runtime)
    assert entered.answer.verdict is Verdict.RIGHT
    assert kept.verdict is Verdict.RIGHT
    assert workspaces.api_key(runtime.vault, kept) == API_KEY
    assert b"test-api" not in kept.api_key


def test_a_wrong_key_is_not_saved(runtime: Runtime) -> None:
    with pytest.raises(InvalidInputError, match="rejected this API key") as caught:
        add(runtime, SecretStr("test-wrong-key"))

    assert caught.value.field == "api_key"
    with runtime.database.reading() as session:
        assert workspaces.list_all(session) == []


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.DOWN,
        FaultKind.UNAVAILABLE,
        FaultKind.HTML_403,
        FaultKind.RATE_LIMITED,
        FaultKind.NONSENSE,
    ],
)
def test_not_being_able_to_ask_is_never_wrong(
    runtime: Runtime, sandbox: RunningSandbox, kind: FaultKind
) -> None:
    break_recall(sandbox, kind)

    entered = add(runtime)

    assert entered.answer.verdict is Verdict.UNKNOWN
    assert only(runtime).verdict is Verdict.UNKNOWN


def test_a_workspace_out_of_credit_still_has_a_right_key(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    sandbox.recall_world.set_switches({"credit_spent": True})

    entered = add(runtime)

    assert entered.answer.verdict is Verdict.RIGHT
    assert "credit" in entered.answer.reason


def test_checking_again_mends_an_unchecked_key(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    break_recall(sandbox, FaultKind.DOWN)
    entered = add(runtime)
    sandbox.recall_faults.set([])

    workspaces.check_again(runtime, entered.workspace_id)

    assert only(runtime).verdict is Verdict.RIGHT


def test_recall_being_down_does_not_take_a_right_verdict_away(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    entered = add(runtime)
    break_recall(sandbox, FaultKind.DOWN)

    answer = workspaces.check_again(runtime, entered.workspace_id)

    assert answer.verdict is Verdict.UNKNOWN
    assert only(runtime).verdict is Verdict.RIGHT


def test_a_key_is_entered_once_a_region(runtime: Runtime) -> None:
    add(runtime)

    with pytest.raises(ConflictError, match="Main"):
        add(runtime)


def test_white_space_around_the_key_is_removed_and_named(runtime: Runtime) -> None:
    entered = add(runtime, SecretStr(f"\n {API_KEY.get_secret_value()}\t"))

    assert entered.trimmed == ["API key"]
    assert workspaces.api_key(runtime.vault, only(runtime)) == API_KEY


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"name": " "}, "name"),
        ({"region": "mars-1"}, "region"),
        ({"api_key": SecretStr(" ")}, "api_key"),
    ],
)
def test_values_that_cannot_be_are_refused(
    runtime: Runtime, over: dict[str, object], field: str
) -> None:
    usual: dict[str, object] = {
        "name": "Main",
        "region": "us-east-1",
        "api_key": API_KEY,
    }
    values = NewWorkspace(**(usual | over))  # type: ignore[arg-type]  # the test's own

    with pytest.raises(InvalidInputError) as caught:
        workspaces.create(runtime, values, actor=CLERK)

    assert caught.value.field == field


def test_renaming_keeps_the_key(runtime: Runtime) -> None:
    entered = add(runtime)

    workspaces.change(
        runtime, entered.workspace_id, name="Renamed", api_key=None, actor=CLERK
    )

    kept = only(runtime)
    assert kept.name == "Renamed"
    assert workspaces.api_key(runtime.vault, kept) == API_KEY


def test_a_wrong_new_key_leaves_the_old_one(runtime: Runtime) -> None:
    entered = add(runtime)

    with pytest.raises(InvalidInputError):
        workspaces.change(
            runtime,
            entered.workspace_id,
            name="Renamed",
            api_key=SecretStr("test-wrong-key"),
            actor=CLERK,
        )

    kept = only(runtime)
    assert kept.name == "Main"
    assert workspaces.api_key(runtime.vault, kept) == API_KEY
