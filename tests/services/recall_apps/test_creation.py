"""One app in Recall, whatever is pressed twice, lost on the way or there before."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from dashboard.clients.recall.api import Recall
from dashboard.clients.recall.replies import RecallApp, Stretch
from dashboard.errors import ConflictError, UpstreamError
from dashboard.models.zoom_app import ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.recall.records import App, Kind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services import audit
from dashboard.services.recall_apps import creation, secrets
from dashboard.services.recall_apps.creation import CreateResult, Creation
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps
from tests.fixtures.audit import AUDIT_LOG
from tests.makers import API_KEY, FakeClock, a_workspace, a_zoom_app

APPS = "/api/v2/zoom-oauth-apps/"
Create = Callable[[], CreateResult]


def no_pause(_seconds: float) -> None:
    """Go on at once."""


@pytest.fixture
def ids(runtime: Runtime, sandbox: RunningSandbox) -> tuple[UUID, UUID]:
    """Enter a zoom app and a workspace whose key Recall knows; return their ids."""
    sandbox.recall_world.add_workspace("us-east-1", API_KEY.get_secret_value())
    zoom_app, workspace = a_zoom_app(runtime.vault), a_workspace(runtime.vault)
    with runtime.database.writing() as session:
        session.add(zoom_app)
        session.add(workspace)
    return zoom_app.id, workspace.id


@pytest.fixture
def create(runtime: Runtime, ids: tuple[UUID, UUID]) -> Create:
    """Press Create in Recall."""
    return lambda: creation.create_in_recall(runtime, *ids, pause=no_pause)


def stored(runtime: Runtime, zoom_app_id: UUID) -> ZoomApp:
    with runtime.database.reading() as session:
        return apps.get(session, zoom_app_id)


def in_recall(sandbox: RunningSandbox) -> list[App]:
    return list(sandbox.recall_world.apps.values())


def there_before(
    sandbox: RunningSandbox, client_id: str, kind: Kind = Kind.USER_LEVEL
) -> App:
    world = sandbox.recall_world
    return world.add_app(
        world.workspaces[API_KEY.get_secret_value()],
        kind=kind,
        client_id=client_id,
        client_secret="test-older-secret",
        webhook_secret="test-older-token",
    )


def strike(sandbox: RunningSandbox, kind: FaultKind, times: int, method: str) -> None:
    fault = Fault(kind=kind, path=APPS, method=method, times=times)
    sandbox.recall_faults.set([fault])


def test_the_app_is_made_with_our_secrets_and_its_id_kept(
    runtime: Runtime, sandbox: RunningSandbox, ids: tuple[UUID, UUID], create: Create
) -> None:
    result = create()

    (made,) = in_recall(sandbox)
    row = stored(runtime, ids[0])
    assert result == CreateResult(outcome=Creation.CREATED, recall_app_id=UUID(made.id))
    assert (made.client_id, made.client_secret, made.webhook_secret) == (
        row.client_id,
        "test-client-secret-0001",
        "test-secret-token-0001",
    )
    assert (row.recall_app_id, row.workspace_id) == (UUID(made.id), ids[1])
    assert row.create_key is None
    assert row.version == 2


def test_the_act_is_in_the_audit_log_once(runtime: Runtime, create: Create) -> None:
    create()
    create()

    with runtime.database.reading() as session:
        acts = [entry.act for entry in session.exec(AUDIT_LOG)]
    assert acts == ["zoom_app.created_in_recall"]


def test_pressing_again_makes_nothing(sandbox: RunningSandbox, create: Create) -> None:
    first = create()

    second = create()

    assert second.outcome is Creation.HERE_ALREADY
    assert second.recall_app_id == first.recall_app_id
    assert len(in_recall(sandbox)) == 1


def test_two_at_once_make_one(
    runtime: Runtime, sandbox: RunningSandbox, ids: tuple[UUID, UUID]
) -> None:
    slow = Fault(kind=FaultKind.SLOW, path=APPS, method="POST", times=1, seconds=0.3)
    sandbox.recall_faults.set([slow])
    both = Barrier(2)

    def press(_: int) -> CreateResult:
        both.wait(timeout=10)
        return creation.create_in_recall(runtime, *ids)

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(press, range(2)))

    assert len(in_recall(sandbox)) == 1
    assert {one.recall_app_id for one in results} == {UUID(in_recall(sandbox)[0].id)}


@pytest.mark.parametrize("times", [1, 2, 3, 4], ids=lambda times: f"{times} lost")
def test_a_lost_answer_never_makes_a_second_one(
    sandbox: RunningSandbox, create: Create, times: int
) -> None:
    strike(sandbox, FaultKind.LOST_ANSWER, times, "POST")

    result = create()

    (made,) = in_recall(sandbox)
    assert result.recall_app_id == UUID(made.id)


def test_a_half_answer_never_makes_a_second_one(
    sandbox: RunningSandbox, create: Create
) -> None:
    strike(sandbox, FaultKind.HALF_ANSWER, 4, "POST")

    result = create()

    (made,) = in_recall(sandbox)
    assert result.recall_app_id == UUID(made.id)


def test_an_answer_lost_for_good_is_settled_by_the_next_press(
    runtime: Runtime, sandbox: RunningSandbox, ids: tuple[UUID, UUID], create: Create
) -> None:
    lost = Fault(kind=FaultKind.LOST_ANSWER, path=APPS, method="POST", times=4)
    down = Fault(kind=FaultKind.DOWN, path=APPS, method="GET", times=None)
    with runtime.database.writing() as session:  # the first look is done already
        row = apps.get(session, ids[0])
        row.create_key, row.workspace_id = str(uuid4()), ids[1]
        session.add(row)
    sandbox.recall_faults.set([lost])
    create()
    (made,) = in_recall(sandbox)
    with runtime.database.writing() as session:  # as if it had died before storing
        row = apps.get(session, ids[0])
        row.recall_app_id, row.create_key = None, str(uuid4())
        session.add(row)

    sandbox.recall_faults.set([down])
    with pytest.raises(UpstreamError):
        create()
    sandbox.recall_faults.set([])
    result = create()

    assert result.outcome is Creation.SETTLED
    assert result.recall_app_id == UUID(made.id)
    assert len(in_recall(sandbox)) == 1


def test_while_an_answer_is_unknown_another_workspace_is_refused(
    runtime: Runtime, sandbox: RunningSandbox, ids: tuple[UUID, UUID]
) -> None:
    other = a_workspace(runtime.vault, region="eu-central-1")
    with runtime.database.writing() as session:
        session.add(other)
        row = apps.get(session, ids[0])
        row.create_key, row.workspace_id = str(uuid4()), ids[1]
        session.add(row)

    with pytest.raises(ConflictError, match="chosen earlier"):
        creation.create_in_recall(runtime, ids[0], other.id)

    assert in_recall(sandbox) == []


def test_an_app_that_was_there_before_is_offered_not_made_again(
    runtime: Runtime, sandbox: RunningSandbox, ids: tuple[UUID, UUID], create: Create
) -> None:
    before = there_before(sandbox, stored(runtime, ids[0]).client_id)

    result = create()

    assert result.outcome is Creation.OFFERED
    assert [one.id for one in result.offered] == [UUID(before.id)]
    assert stored(runtime, ids[0]).recall_app_id is None
    assert len(in_recall(sandbox)) == 1


def test_another_client_ids_app_is_not_offered(
    sandbox: RunningSandbox, create: Create
) -> None:
    there_before(sandbox, "simSomebodyElse")

    assert create().outcome is Creation.CREATED


def test_adopting_gives_recall_our_secrets(
    runtime: Runtime, sandbox: RunningSandbox, ids: tuple[UUID, UUID]
) -> None:
    before = there_before(sandbox, stored(runtime, ids[0]).client_id)

    creation.adopt(runtime, *ids, UUID(before.id))

    (kept,) = in_recall(sandbox)
    assert stored(runtime, ids[0]).recall_app_id == UUID(before.id)
    assert kept.webhook_secret == "test-secret-token-0001"
    assert kept.client_secret == "test-client-secret-0001"


def test_an_app_of_another_kind_or_client_is_not_adopted(
    runtime: Runtime, sandbox: RunningSandbox, ids: tuple[UUID, UUID]
) -> None:
    foreign = there_before(sandbox, "simSomebodyElse")
    client_id = stored(runtime, ids[0]).client_id
    kind = there_before(sandbox, client_id, Kind.ACCOUNT_LEVEL)

    with pytest.raises(ConflictError, match="client ID"):
        creation.adopt(runtime, *ids, UUID(foreign.id))
    with pytest.raises(ConflictError, match="account_level"):
        creation.adopt(runtime, *ids, UUID(kind.id))

    assert stored(runtime, ids[0]).recall_app_id is None
    assert foreign.webhook_secret == "test-older-token"


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
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_reply_outside_the_contract_is_one_sentence_and_leaves_nothing_half_made(
    sandbox: RunningSandbox,
    create: Create,
    clock: FakeClock,
    kind: FaultKind,
    method: str,
) -> None:
    fault = Fault(kind=kind, path=APPS, method=method, times=None, seconds=1)
    sandbox.recall_faults.set([fault])

    with pytest.raises(UpstreamError) as caught:
        create()
    sandbox.recall_faults.set([])
    clock.advance(minutes=1)  # what a 429 is waited for
    result = create()

    assert "test-" not in str(caught.value)
    assert result.outcome is Creation.CREATED
    assert len(in_recall(sandbox)) == 1


def test_updating_sends_the_secrets_stored_now(
    runtime: Runtime, sandbox: RunningSandbox, ids: tuple[UUID, UUID], create: Create
) -> None:
    create()
    (made,) = in_recall(sandbox)
    made.webhook_secret = "test-older-token"

    secrets.update_in_recall(runtime, ids[0], actor=audit.COMMAND_LINE)

    assert made.webhook_secret == "test-secret-token-0001"


def test_updating_an_app_that_is_not_in_recall_is_refused(
    runtime: Runtime, ids: tuple[UUID, UUID]
) -> None:
    with pytest.raises(ConflictError):
        secrets.update_in_recall(runtime, ids[0], actor=audit.COMMAND_LINE)


class Odd(Recall):
    """A real client of the simulated Recall whose list or creation is bent."""

    ignores_filter = False
    shows_nothing = False
    refuses_with: int | None = None

    def list_apps(self, *, client_id: str | None = None) -> Stretch[RecallApp]:
        if self.shows_nothing:
            return Stretch(results=[], is_whole=True)
        return super().list_apps(client_id=None if self.ignores_filter else client_id)

    def create_app(
        self,
        *,
        kind: str,
        client_id: str,
        client_secret: SecretStr,
        webhook_secret: SecretStr,
        idempotency_key: str,
    ) -> RecallApp:
        if self.refuses_with is not None:
            raise UpstreamError("Refused.", service="Recall", status=self.refuses_with)
        return super().create_app(
            kind=kind,
            client_id=client_id,
            client_secret=client_secret,
            webhook_secret=webhook_secret,
            idempotency_key=idempotency_key,
        )


@pytest.fixture
def odd(sandbox: RunningSandbox) -> Iterator[Odd]:
    client = Odd(sandbox.recall_url, API_KEY)
    yield client
    client.close()


def press(runtime: Runtime, odd: Odd, ids: tuple[UUID, UUID]) -> CreateResult:
    return creation.create_in_recall(
        replace(runtime, recall=lambda *_, **__: odd),
        *ids,
        pause=lambda _seconds: None,
    )


def key_kept(runtime: Runtime, zoom_app_id: UUID) -> str | None:
    with runtime.database.reading() as session:
        return apps.get(session, zoom_app_id).create_key


def found_before(sandbox: RunningSandbox, client_ids: Sequence[str]) -> None:
    world = sandbox.recall_world
    for client_id in client_ids:
        world.add_app(
            world.workspaces[API_KEY.get_secret_value()],
            kind=Kind.USER_LEVEL,
            client_id=client_id,
            client_secret="test-older-secret",
            webhook_secret="test-older-token",
        )


def test_a_list_that_ignores_its_filter_does_not_offer_what_is_foreign(
    runtime: Runtime, sandbox: RunningSandbox, odd: Odd, ids: tuple[UUID, UUID]
) -> None:
    found_before(sandbox, ["simSomebodyElse", "simAnother"])
    odd.ignores_filter = True

    assert press(runtime, odd, ids).outcome is Creation.CREATED


@pytest.mark.parametrize("status", [400, 402, 403, 404, 422])
def test_a_final_refusal_frees_the_key_so_that_recall_does_not_repeat_it(
    runtime: Runtime, odd: Odd, ids: tuple[UUID, UUID], status: int
) -> None:
    odd.refuses_with = status

    with pytest.raises(UpstreamError):
        press(runtime, odd, ids)

    assert key_kept(runtime, ids[0]) is None


@pytest.mark.parametrize("status", [401, 408, 409, 429])
def test_a_refusal_that_may_pass_keeps_the_key(
    runtime: Runtime, odd: Odd, ids: tuple[UUID, UUID], status: int
) -> None:
    odd.refuses_with = status

    with pytest.raises(UpstreamError):
        press(runtime, odd, ids)

    assert key_kept(runtime, ids[0]) is not None


def test_what_recall_refused_to_double_is_offered_not_taken_for_ours(
    runtime: Runtime, sandbox: RunningSandbox, odd: Odd, ids: tuple[UUID, UUID]
) -> None:
    with runtime.database.reading() as session:
        found_before(sandbox, [apps.get(session, ids[0]).client_id])
    sandbox.recall_world.set_switches({"duplicate_client_id": "refuse"})
    odd.shows_nothing = True
    with pytest.raises(UpstreamError):
        press(runtime, odd, ids)
    odd.shows_nothing = False

    result = press(runtime, odd, ids)

    assert result.outcome is Creation.OFFERED
    assert len(sandbox.recall_world.apps) == 1
