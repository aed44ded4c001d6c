"""A probe tells whether Recall holds the secret token stored here."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from werkzeug.serving import make_server

from dashboard.errors import ConflictError
from dashboard.models.check import Finding, Source
from dashboard.models.watch import ProbeSchedule
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.recall.records import App
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.probes import recall_webhook
from dashboard.services.recall_apps import creation
from dashboard.services.runtime import Runtime
from dashboard.services.validation import evidence
from dashboard.services.validation.evidence import State
from tests.fixtures.public_url import answering, reachable, serving
from tests.makers import API_KEY, LATER, a_workspace, a_zoom_app

MISMATCH = Finding.SECRET_MISMATCH


def no_pause(_seconds: float) -> None:
    """Go on at once."""


@pytest.fixture
def zoom_app_id(runtime: Runtime, sandbox: RunningSandbox) -> UUID:
    """Enter a zoom app and make it in Recall."""
    sandbox.recall_world.add_workspace("us-east-1", API_KEY.get_secret_value())
    zoom_app, workspace = a_zoom_app(runtime.vault), a_workspace(runtime.vault)
    with runtime.database.writing() as session:
        session.add(zoom_app)
        session.add(workspace)
    creation.create_in_recall(runtime, zoom_app.id, workspace.id)
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


def state(runtime: Runtime, zoom_app_id: UUID) -> State:
    with runtime.database.reading() as session:
        seen = evidence.evidence(session, zoom_app_id, now=LATER)
    return evidence.recall_status(seen, runtime.clock.now()).state


def findings(runtime: Runtime, zoom_app_id: UUID, source: Source) -> list[Finding]:
    with runtime.database.reading() as session:
        kept = evidence.latest(session, zoom_app_id, now=LATER)
    return [check.finding for check in kept if check.source is source]


def test_the_same_secret_token_on_both_sides_is_valid(
    runtime: Runtime, zoom_app_id: UUID
) -> None:
    seen = recall_webhook.probe_recall(runtime, zoom_app_id, pause=no_pause)

    assert seen.finding is Finding.GOOD
    assert state(runtime, zoom_app_id) is State.VALID


def test_another_secret_token_in_recall_is_a_mismatch(
    runtime: Runtime, zoom_app_id: UUID, there: App
) -> None:
    there.webhook_secret = "test-older-token"

    seen = recall_webhook.probe_recall(runtime, zoom_app_id, pause=no_pause)

    assert seen.finding is Finding.SECRET_MISMATCH
    assert state(runtime, zoom_app_id) is State.SECRET_MISMATCH


def test_a_proper_answer_made_with_another_token_is_a_mismatch(
    runtime: Runtime, zoom_app_id: UUID, stubborn: str
) -> None:
    settings = runtime.settings.model_copy(update={"recall_url": stubborn})

    seen = recall_webhook.probe_recall(
        replace(runtime, settings=settings), zoom_app_id, pause=no_pause
    )

    assert seen.finding is Finding.SECRET_MISMATCH


def test_an_answer_of_another_shape_proves_nothing(
    runtime: Runtime, zoom_app_id: UUID, sandbox: RunningSandbox
) -> None:
    fault = Fault(kind=FaultKind.NONSENSE, path="/api/v2/zoom-oauth-apps/")
    sandbox.recall_faults.set([fault])

    seen = recall_webhook.probe_recall(runtime, zoom_app_id, pause=no_pause)

    assert seen.finding is Finding.FAILED


@pytest.mark.parametrize(
    "kind", [FaultKind.DOWN, FaultKind.UNAVAILABLE, FaultKind.HTML_403]
)
def test_recall_being_out_of_reach_is_failing_not_a_mismatch(
    runtime: Runtime, zoom_app_id: UUID, sandbox: RunningSandbox, kind: FaultKind
) -> None:
    sandbox.recall_faults.set([Fault(kind=kind)])

    seen = recall_webhook.probe_recall(runtime, zoom_app_id, pause=no_pause)

    assert seen.finding is Finding.FAILED
    assert state(runtime, zoom_app_id) is State.FAILING


def test_an_app_that_recall_has_lost_is_gone_by_both_ways_of_asking(
    runtime: Runtime, zoom_app_id: UUID, sandbox: RunningSandbox, there: App
) -> None:
    sandbox.recall_world.remove_app(there)

    seen = recall_webhook.probe_recall(runtime, zoom_app_id, pause=no_pause)

    assert seen.finding is Finding.GONE
    assert "This app no longer exists in Recall" in seen.detail
    assert findings(runtime, zoom_app_id, Source.RECALL_API) == [Finding.GONE]
    assert state(runtime, zoom_app_id) is State.FAILING


@pytest.mark.parametrize(
    ("status", "body", "kind", "finding"),
    [
        (404, b'{"detail":"Not found."}', "application/json", Finding.GONE),
        (404, b"<html>no such site</html>", "text/html", Finding.FAILED),
        (401, b"", "text/plain", Finding.SECRET_MISMATCH),
        (403, b'{"detail":"Bad signature"}', "application/json", MISMATCH),
        (403, b"<HTML>403 ERROR</HTML>", "text/html", Finding.FAILED),
        (400, b'{"detail":"Invalid"}', "application/json", MISMATCH),
        (400, b"", "text/plain", MISMATCH),
        (422, b"{}", "application/json", MISMATCH),
        (400, b"<html>Bad request</html>", "text/html", Finding.FAILED),
        (405, b"", "text/plain", Finding.FAILED),
        (301, b"", "text/plain", Finding.FAILED),
        (200, b"", "text/plain", Finding.FAILED),
        (204, b"", "text/plain", Finding.FAILED),
    ],
)
def test_every_answer_of_the_receiver_means_something(
    runtime: Runtime,
    zoom_app_id: UUID,
    *,
    status: int,
    body: bytes,
    kind: str,
    finding: Finding,
) -> None:
    with serving(answering(status, body, kind)) as url:
        settings = runtime.settings.model_copy(update={"recall_url": url})
        other = replace(runtime, settings=settings)
        seen = recall_webhook.probe_recall(other, zoom_app_id, pause=no_pause)

    assert seen.finding is finding
    assert seen.detail.endswith(".")


def test_what_recall_knew_before_is_kept_before_our_own_challenge(
    runtime: Runtime, zoom_app_id: UUID, there: App
) -> None:
    zooms = runtime.clock.now() - timedelta(days=1)
    there.webhook_last_validation = zooms

    recall_webhook.probe_recall(runtime, zoom_app_id, pause=no_pause)

    with runtime.database.reading() as session:
        kept = evidence.latest(session, zoom_app_id, now=LATER)[::-1]
    assert [(check.source, check.told_at) for check in kept] == [
        (Source.RECALL_API, zooms),
        (Source.RECALL_PROBE, None),
        (Source.RECALL_API, there.webhook_last_validation),
    ]


def test_both_probes_are_put_where_both_make_sense(
    runtime: Runtime, zoom_app_id: UUID
) -> None:
    with reachable(runtime) as public:
        probed = recall_webhook.probe(public, zoom_app_id, pause=no_pause)

    assert probed.self_test is not None
    assert probed.recall is not None
    assert probed.is_good
    with runtime.database.reading() as session:
        row = session.get_one(ProbeSchedule, zoom_app_id)
    assert row.probe_due_at > runtime.clock.now() + timedelta(hours=22)


@pytest.mark.parametrize(
    ("routing", "is_in_recall", "put"),
    [
        (Routing.DIRECT, True, {"recall"}),
        (Routing.RELAY, False, {"outside"}),
        (Routing.DIRECT, False, None),
    ],
)
def test_a_probe_that_makes_no_sense_is_not_put(
    runtime: Runtime,
    zoom_app_id: UUID,
    routing: Routing,
    put: set[str] | None,
    *,
    is_in_recall: bool,
) -> None:
    with runtime.database.writing() as session:
        app = session.get_one(ZoomApp, zoom_app_id)
        app.routing = routing
        app.recall_app_id = app.recall_app_id if is_in_recall else None
    with reachable(runtime) as public:
        if put is None:
            with pytest.raises(ConflictError):
                recall_webhook.probe(public, zoom_app_id, pause=no_pause)
            return
        probed = recall_webhook.probe(public, zoom_app_id, pause=no_pause)

    seen = {"outside": probed.self_test, "recall": probed.recall}
    assert {name for name, one in seen.items() if one is not None} == put


def test_no_secret_is_kept_with_the_evidence(
    runtime: Runtime, zoom_app_id: UUID, there: App
) -> None:
    there.webhook_secret = "test-older-token"
    recall_webhook.probe_recall(runtime, zoom_app_id, pause=no_pause)

    with runtime.database.reading() as session:
        kept = evidence.latest(session, zoom_app_id, now=LATER)

    assert kept
    assert not any("test-" in check.detail for check in kept)


def test_an_app_that_is_not_in_recall_cannot_be_probed(runtime: Runtime) -> None:
    zoom_app = a_zoom_app(runtime.vault)
    with runtime.database.writing() as session:
        session.add(zoom_app)

    with pytest.raises(ConflictError):
        recall_webhook.probe_recall(runtime, zoom_app.id, pause=no_pause)
