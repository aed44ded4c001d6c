"""What is kept of a creation in Recall when Recall refuses, or answers too much."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from pydantic import SecretStr

from dashboard.clients.recall.api import Recall
from dashboard.clients.recall.replies import RecallApp
from dashboard.errors import UpstreamError
from dashboard.sandbox.recall.records import Kind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.recall_apps import creation
from dashboard.services.recall_apps.creation import CreateResult, Creation
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps
from tests.makers import API_KEY, a_workspace, a_zoom_app


class Odd(Recall):
    """A real client of the simulated Recall whose list or creation is bent."""

    ignores_filter = False
    shows_nothing = False
    refuses_with: int | None = None

    def list_apps(self, *, client_id: str | None = None) -> list[RecallApp]:
        if self.shows_nothing:
            return []
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
    sandbox.recall_world.add_workspace("us-east-1", API_KEY.get_secret_value())
    client = Odd(sandbox.recall_url, API_KEY)
    yield client
    client.close()


@pytest.fixture
def ids(runtime: Runtime) -> tuple[UUID, UUID]:
    """Enter a zoom app and a workspace; return their ids."""
    zoom_app, workspace = a_zoom_app(runtime.vault), a_workspace(runtime.vault)
    with runtime.database.writing() as session:
        session.add(zoom_app)
        session.add(workspace)
    return zoom_app.id, workspace.id


def create(runtime: Runtime, odd: Odd, ids: tuple[UUID, UUID]) -> CreateResult:
    return creation.create_in_recall(
        replace(runtime, recall=lambda *_, **__: odd),
        *ids,
        pause=lambda _seconds: None,
    )


def key_kept(runtime: Runtime, zoom_app_id: UUID) -> str | None:
    with runtime.database.reading() as session:
        return apps.get(session, zoom_app_id).create_key


def there_before(sandbox: RunningSandbox, client_ids: Sequence[str]) -> None:
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
    there_before(sandbox, ["simSomebodyElse", "simAnother"])
    odd.ignores_filter = True

    assert create(runtime, odd, ids).outcome is Creation.CREATED


@pytest.mark.parametrize("status", [400, 402, 403, 404, 422])
def test_a_final_refusal_frees_the_key_so_that_recall_does_not_repeat_it(
    runtime: Runtime, odd: Odd, ids: tuple[UUID, UUID], status: int
) -> None:
    odd.refuses_with = status

    with pytest.raises(UpstreamError):
        create(runtime, odd, ids)

    assert key_kept(runtime, ids[0]) is None


@pytest.mark.parametrize("status", [401, 408, 409, 429])
def test_a_refusal_that_may_pass_keeps_the_key(
    runtime: Runtime, odd: Odd, ids: tuple[UUID, UUID], status: int
) -> None:
    odd.refuses_with = status

    with pytest.raises(UpstreamError):
        create(runtime, odd, ids)

    assert key_kept(runtime, ids[0]) is not None


def test_what_recall_refused_to_double_is_offered_not_taken_for_ours(
    runtime: Runtime, sandbox: RunningSandbox, odd: Odd, ids: tuple[UUID, UUID]
) -> None:
    with runtime.database.reading() as session:
        there_before(sandbox, [apps.get(session, ids[0]).client_id])
    sandbox.recall_world.set_switches({"duplicate_client_id": "refuse"})
    odd.shows_nothing = True
    with pytest.raises(UpstreamError):
        create(runtime, odd, ids)
    odd.shows_nothing = False

    result = create(runtime, odd, ids)

    assert result.outcome is Creation.OFFERED
    assert len(sandbox.recall_world.apps) == 1
