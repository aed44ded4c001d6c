"""Probe now: both challenges at once, and one sentence for each."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from bs4 import BeautifulSoup

from dashboard.models.check import Check
from dashboard.models.staff import Role
from dashboard.models.webhook import Refusal, Webhook
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.recall_apps import creation
from dashboard.services.receiver import signatures
from dashboard.services.receiver.signatures import PROBE_PREFIX, ValidationRequest
from dashboard.services.runtime import Runtime
from tests.conftest import SignIn
from tests.fixtures.hooks import HooksClient, door
from tests.fixtures.public_url import reachable
from tests.makers import API_KEY, SECRET_TOKEN, a_workspace, a_zoom_app
from tests.web.hooks.test_wsgi_and_rsgi_agree import in_loop

OURS = "Self-test of the public URL"


RECALLS = "Recall passed our test."


@pytest.fixture
def runtime(runtime: Runtime) -> Iterator[Runtime]:
    """Give them with a public URL that answers."""
    with reachable(runtime) as public:
        yield public


@pytest.fixture
def app_id(runtime: Runtime, sandbox: RunningSandbox) -> UUID:
    sandbox.recall_world.add_workspace("us-east-1", API_KEY.get_secret_value())
    zoom_app, workspace = a_zoom_app(runtime.vault), a_workspace(runtime.vault)
    with runtime.database.writing() as session:
        session.add(zoom_app)
        session.add(workspace)
    creation.create_in_recall(runtime, zoom_app.id, workspace.id)
    return zoom_app.id


def change(runtime: Runtime, app_id: UUID, **values: object) -> None:
    with runtime.database.writing() as session:
        app = session.get_one(ZoomApp, app_id)
        for name, value in values.items():
            setattr(app, name, value)


def press(as_role: SignIn, app_id: UUID) -> BeautifulSoup:
    answer = as_role(Role.ADMIN).post(
        f"/zoom-apps/{app_id}/probe", follow_redirects=True
    )
    assert answer.status_code == 200
    return BeautifulSoup(answer.text, "html5lib")


def test_both_are_put_and_both_are_said(as_role: SignIn, app_id: UUID) -> None:
    page = press(as_role, app_id)

    assert OURS in page.text
    assert RECALLS in page.text
    assert "Self-test of the public URL" in page.text


def test_what_is_wrong_with_one_is_said_beside_the_other(
    as_role: SignIn, app_id: UUID, sandbox: RunningSandbox
) -> None:
    (there,) = sandbox.recall_world.apps.values()
    there.webhook_secret = "test-older-token"

    page = press(as_role, app_id)

    assert OURS in page.text
    assert "it has a different secret token" in page.text
    assert "test-older" not in str(page)


def test_with_routing_direct_recall_alone_is_asked(
    as_role: SignIn, runtime: Runtime, app_id: UUID
) -> None:
    change(runtime, app_id, routing=Routing.DIRECT)

    page = press(as_role, app_id)

    assert RECALLS in page.text
    assert OURS not in page.text


def test_before_recall_has_the_app_our_own_address_alone_is_asked(
    as_role: SignIn, runtime: Runtime, app_id: UUID
) -> None:
    change(runtime, app_id, recall_app_id=None)

    page = press(as_role, app_id)

    assert OURS in page.text
    assert RECALLS not in page.text


def test_when_there_is_nothing_to_ask_that_is_said(
    as_role: SignIn, runtime: Runtime, app_id: UUID
) -> None:
    change(runtime, app_id, recall_app_id=None, routing=Routing.DIRECT)

    assert "not in Recall yet" in press(as_role, app_id).text


__all__ = ["door"]


Way = Callable[[HooksClient], tuple[HooksClient, Callable[[], None]]]


def through_wsgi(door: HooksClient) -> tuple[HooksClient, Callable[[], None]]:
    return door, lambda: None


def through_the_loop(door: HooksClient) -> tuple[HooksClient, Callable[[], None]]:
    other, made = in_loop(door)
    return other, made.close


both_doors = pytest.mark.parametrize("way", [through_wsgi, through_the_loop])


def a_probe(door: HooksClient) -> ValidationRequest:
    return signatures.validation_request(
        SECRET_TOKEN, now=door.clock.now(), prefix=PROBE_PREFIX
    )


def post(door: HooksClient, probe: ValidationRequest, **over: Any) -> Any:
    headers = {"x-zm-signature": probe.signature} | over.pop("headers", {})
    body = over.pop("body", probe.body)
    return door.post(body, timestamp=probe.timestamp, headers=headers, **over)


@both_doors
def test_it_is_answered_exactly_as_zooms_is(door: HooksClient, way: Way) -> None:
    door, close = way(door)
    own = a_probe(door)
    zooms = signatures.validation_request(SECRET_TOKEN, now=door.clock.now())

    ours, theirs = post(door, own), post(door, zooms)

    close()
    assert (ours.status_code, ours.json) == (200, own.answer)
    assert (theirs.status_code, theirs.json) == (200, zooms.answer)
    # They differ in length alone, as the tokens do.
    left_out = {"content-length"}
    assert {k: v for k, v in ours.headers.items() if k.lower() not in left_out} == {
        k: v for k, v in theirs.headers.items() if k.lower() not in left_out
    }


@both_doors
def test_it_is_no_webhook_and_no_evidence_of_zoom(door: HooksClient, way: Way) -> None:
    door, close = way(door)

    post(door, a_probe(door))
    post(door, signatures.validation_request(SECRET_TOKEN, now=door.clock.now()))

    close()
    assert [row.event for row in door.stored(Webhook)] == ["endpoint.url_validation"]
    assert [row.source.value for row in door.stored(Check)] == ["zoom_challenge"]


@both_doors
def test_its_answer_does_not_need_the_database(door: HooksClient, way: Way) -> None:
    door, close = way(door)
    post(door, a_probe(door))  # the zoom app is known now

    door.writer.close()  # nothing can be stored any more
    ours = post(door, a_probe(door))
    theirs = post(
        door, signatures.validation_request(SECRET_TOKEN, now=door.clock.now())
    )

    close()
    assert (ours.status_code, theirs.status_code) == (200, 503)


@both_doors
def test_the_token_alone_makes_nobody_one_of_us(door: HooksClient, way: Way) -> None:
    door, close = way(door)

    forged = post(door, a_probe(door), headers={"x-zm-signature": "v0=" + "0" * 64})

    close()
    assert (forged.status_code, forged.text) == (401, "Unauthorized\n")
    assert [row.cause for row in door.stored(Refusal)] == ["signature"]


@both_doors
def test_one_that_arrives_altered_is_not_taken_for_zooms(
    door: HooksClient, way: Way
) -> None:
    door, close = way(door)
    probe = a_probe(door)

    altered = post(door, probe, body=probe.body.replace(b",", b", "))
    kept_of_ours = door.stored(Check)
    zooms = post(
        door,
        signatures.validation_request(SECRET_TOKEN, now=door.clock.now()),
        headers={"x-zm-signature": "v0=" + "0" * 64},
    )

    close()
    assert (altered.status_code, zooms.status_code) == (401, 401)
    assert len(door.stored(Refusal)) == 2
    assert (kept_of_ours, len(door.stored(Check))) == ([], 1)


@both_doors
def test_one_that_is_too_old_is_refused_as_zooms_would_be(
    door: HooksClient, way: Way
) -> None:
    door, close = way(door)
    probe = a_probe(door)
    door.clock.advance(days=8)

    late = post(door, probe)

    close()
    assert late.status_code == 401
