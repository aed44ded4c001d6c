"""A development app with users, and what a browser shows of its move."""

from typing import Any
from uuid import UUID

import pytest
from bs4 import BeautifulSoup, Tag
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from dashboard.models.staff import Role
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import Environment, ScopeStyle, ZoomApp
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Services
from dashboard.services.zoom_apps import apps
from tests.conftest import SignIn
from tests.makers import API_KEY, a_connection, a_workspace, a_zoom_app

CLIENT_ID, SECRET = "simProduction000000001", "test-production-secret-01"
TOKEN = "test-production-token-01"


class MovingDesk:
    """A development app with users, whose production pair Zoom knows."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.workspace: Workspace = a_workspace(services.vault)
        self.development = a_zoom_app(
            services.vault, name="Notetaker", scope_style=ScopeStyle.LEGACY
        )
        with services.database.writing() as session:
            session.add(self.workspace)
            session.flush()
            self.development.workspace_id = self.workspace.id
            session.add(self.development)
        self.url = f"/zoom-apps/{self.development.id}/production"

    @property
    def typed(self) -> dict[str, str]:
        return {
            "name": "Notetaker live",
            "scope_style": "legacy",
            "routing": "relay",
            "workspace_id": str(self.workspace.id),
            "client_id": CLIENT_ID,
            "client_secret": SECRET,
            "secret_token": TOKEN,
        }

    def production(self, *, linked: bool = True, **over: Any) -> ZoomApp:
        app = a_zoom_app(
            self.services.vault,
            environment=Environment.PRODUCTION,
            succeeds_id=self.development.id if linked else None,
            **{"name": "Notetaker live", **over},
        )
        with self.services.database.writing() as session:
            session.add(app)
        return app

    def connect(self, app: ZoomApp, *users: str) -> None:
        with self.services.database.writing() as session:
            for user in users:
                session.add(
                    a_connection(
                        app,
                        zoom_user_id=user,
                        display_name=user.capitalize(),
                        email=f"{user}@example.com",
                    )
                )

    def find(self, zoom_app_id: UUID) -> ZoomApp:
        with self.services.database.reading() as session:
            return apps.get(session, zoom_app_id)

    def all(self) -> list[ZoomApp]:
        with self.services.database.reading() as session:
            return list(apps.list_all(session))


@pytest.fixture
def stage(services: Services, sandbox: RunningSandbox) -> MovingDesk:
    sandbox.zoom_world.add_app(
        name="Notetaker", client_id=CLIENT_ID, client_secret=SECRET
    )
    sandbox.recall_world.add_workspace("us-east-1", API_KEY.get_secret_value())
    return MovingDesk(services)


@pytest.fixture
def admin(as_role: SignIn) -> FlaskClient:
    return as_role(Role.ADMIN)


def page_of(answer: TestResponse) -> BeautifulSoup:
    return BeautifulSoup(answer.text, "html5lib")


def text_of(answer: TestResponse) -> str:
    return " ".join(page_of(answer).get_text(" ").split())


def value(page: BeautifulSoup | Tag, selector: str) -> str:
    found = page.select_one(selector)
    assert found is not None
    return str(found.get("value", ""))
