"""Probe now: both challenges at once, and one sentence for each."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from bs4 import BeautifulSoup

from dashboard.models.staff import Role
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.recall_apps import creation
from dashboard.services.runtime import Runtime
from tests.conftest import SignIn
from tests.fixtures.public_url import reachable
from tests.makers import API_KEY, a_workspace, a_zoom_app

OURS = "Our own challenge to the public URL"
RECALLS = "Recall answered our signed challenge rightly."


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
    assert "Challenge from outside" in page.text


def test_what_is_wrong_with_one_is_said_beside_the_other(
    as_role: SignIn, app_id: UUID, sandbox: RunningSandbox
) -> None:
    (there,) = sandbox.recall_world.apps.values()
    there.webhook_secret = "test-older-token"

    page = press(as_role, app_id)

    assert OURS in page.text
    assert "it holds another secret token" in page.text
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
