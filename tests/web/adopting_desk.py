"""An admin in front of the apps that Recall has."""

import pytest
from bs4 import BeautifulSoup, Tag
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from dashboard.models.staff import Role
from dashboard.sandbox.recall.records import App
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Services
from tests.adopting_stage import AdoptingStage, an_adopting_stage
from tests.conftest import SignIn


@pytest.fixture
def stage(services: Services, sandbox: RunningSandbox) -> AdoptingStage:
    return an_adopting_stage(services, sandbox)


@pytest.fixture
def admin(as_role: SignIn) -> FlaskClient:
    return as_role(Role.ADMIN)


def page_of(answer: TestResponse) -> BeautifulSoup:
    return BeautifulSoup(answer.text, "html5lib")


def words(found: Tag | BeautifulSoup | None) -> str:
    assert found is not None
    return " ".join(found.get_text(" ").split())


def list_url(stage: AdoptingStage) -> str:
    return f"/workspaces/{stage.workspace.id}/recall-apps"


def url(stage: AdoptingStage, app: App) -> str:
    return f"{list_url(stage)}/{app.id}/take-over"
