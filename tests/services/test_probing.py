"""A probe tells whether Recall holds the secret token stored here."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from werkzeug.serving import make_server

from dashboard.errors import ConflictError
from dashboard.models.check import Finding
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.recall.records import App
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services import probing, recall_apps, validation
from dashboard.services.bundle import Services
from dashboard.services.validation import State
from tests.makers import API_KEY, a_workspace, a_zoom_app


def no_pause(_seconds: float) -> None:
    """Go on at once."""


@pytest.fixture
def zoom_app_id(services: Services, sandbox: RunningSandbox) -> UUID:
    """Enter a zoom app and make it in Recall."""
    sandbox.recall_world.add_workspace("us-east-1", API_KEY.get_secret_value())
    zoom_app, workspace = a_zoom_app(services.vault), a_workspace(services.vault)
    with services.database.writing() as session:
        session.add(zoom_app)
        session.add(workspace)
    recall_apps.create_in_recall(services, zoom_app.id, workspace.id)
    return zoom_app.id


@pytest.fixture
def there(sandbox: RunningSandbox, zoom_app_id: UUID) -> App:
    """Give Recall's own record of it."""
    (made,) = sandbox.recall_world.apps.values()
    assert zoom_app_id
    return made


@pytest.fixture
def stubborn() -> Iterator[str]:
    """Run a Recall that believes every signature but answers with another token."""

    def answer(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        length = int(environ["CONTENT_LENGTH"])
        plain = json.loads(environ["wsgi.input"].read(length))["payload"]["plainToken"]
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"plainToken": plain, "encryptedToken": "0" * 64}).encode()]

    server = make_server("127.0.0.1", 0, answer, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def state(services: Services, zoom_app_id: UUID) -> State:
    with services.database.reading() as session:
        seen = validation.evidence(session, zoom_app_id)
    return validation.recalls(seen, services.clock.now()).state


def test_the_same_secret_token_on_both_sides_is_valid(
    services: Services, zoom_app_id: UUID
) -> None:
    seen = probing.probe_recall(services, zoom_app_id, pause=no_pause)

    assert seen.finding is Finding.GOOD
    assert state(services, zoom_app_id) is State.VALID


def test_another_secret_token_in_recall_is_a_mismatch(
    services: Services, zoom_app_id: UUID, there: App
) -> None:
    there.webhook_secret = "test-older-token"

    seen = probing.probe_recall(services, zoom_app_id, pause=no_pause)

    assert seen.finding is Finding.SECRET_MISMATCH
    assert state(services, zoom_app_id) is State.SECRET_MISMATCH


def test_a_proper_answer_made_with_another_token_is_a_mismatch(
    services: Services, zoom_app_id: UUID, stubborn: str
) -> None:
    settings = services.settings.model_copy(update={"recall_url": stubborn})

    seen = probing.probe_recall(
        replace(services, settings=settings), zoom_app_id, pause=no_pause
    )

    assert seen.finding is Finding.SECRET_MISMATCH


def test_an_answer_of_another_shape_proves_nothing(
    services: Services, zoom_app_id: UUID, sandbox: RunningSandbox
) -> None:
    fault = Fault(kind=FaultKind.NONSENSE, path="/api/v2/zoom-oauth-apps/")
    sandbox.recall_faults.set([fault])

    seen = probing.probe_recall(services, zoom_app_id, pause=no_pause)

    assert seen.finding is Finding.FAILED


@pytest.mark.parametrize(
    "kind", [FaultKind.DOWN, FaultKind.UNAVAILABLE, FaultKind.HTML_403]
)
def test_recall_being_out_of_reach_is_failing_not_a_mismatch(
    services: Services, zoom_app_id: UUID, sandbox: RunningSandbox, kind: FaultKind
) -> None:
    sandbox.recall_faults.set([Fault(kind=kind)])

    seen = probing.probe_recall(services, zoom_app_id, pause=no_pause)

    assert seen.finding is Finding.FAILED
    assert state(services, zoom_app_id) is State.FAILING


def test_an_app_that_recall_has_lost_is_failing(
    services: Services, zoom_app_id: UUID, sandbox: RunningSandbox, there: App
) -> None:
    sandbox.recall_world.remove_app(there)

    probing.probe_recall(services, zoom_app_id, pause=no_pause)

    assert state(services, zoom_app_id) is State.FAILING


def test_no_secret_is_kept_with_the_evidence(
    services: Services, zoom_app_id: UUID, there: App
) -> None:
    there.webhook_secret = "test-older-token"
    probing.probe_recall(services, zoom_app_id, pause=no_pause)

    with services.database.reading() as session:
        kept = validation.latest(session, zoom_app_id)

    assert kept
    assert not any("test-" in check.detail for check in kept)


def test_an_app_that_is_not_in_recall_cannot_be_probed(services: Services) -> None:
    zoom_app = a_zoom_app(services.vault)
    with services.database.writing() as session:
        session.add(zoom_app)

    with pytest.raises(ConflictError):
        probing.probe_recall(services, zoom_app.id, pause=no_pause)
