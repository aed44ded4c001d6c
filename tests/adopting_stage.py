"""A workspace whose apps in Recall were made by hand, there and at Zoom."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import Environment, Routing, ScopeStyle, ZoomApp
from dashboard.sandbox.recall.records import App, Kind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.audit import Actor
from dashboard.services.recall_apps import adoption
from dashboard.services.recall_apps import listing as recall_listing
from dashboard.services.recall_apps.adoption import TakenOver, TakeOver
from dashboard.services.recall_apps.listing import Listed, Listing
from dashboard.services.runtime import Services
from dashboard.services.zoom_apps import apps
from tests.makers import (
    API_KEY,
    CLIENT_SECRET,
    SECRET_TOKEN,
    a_workspace,
    a_zoom_app,
)

ADMIN = Actor(name="admin@example.com")
CLIENT_ID = "simByHand0000000000001"
LIST = "/api/v2/zoom-oauth-apps/"


@dataclass(kw_only=True)
class AdoptingStage:
    services: Services
    sandbox: RunningSandbox
    workspace: Workspace

    def by_hand(self, client_id: str = CLIENT_ID, **over: Any) -> App:
        """Make an app in Recall as somebody would with curl."""
        world = self.sandbox.recall_world
        values: dict[str, Any] = {
            "kind": Kind.USER_LEVEL,
            "client_secret": CLIENT_SECRET.get_secret_value(),
            "webhook_secret": SECRET_TOKEN.get_secret_value(),
        }
        own = world.workspaces[API_KEY.get_secret_value()]
        return world.add_app(own, client_id=client_id, **(values | over))

    def here(self, **over: Any) -> ZoomApp:
        values = {"workspace_id": self.workspace.id, **over}
        app = a_zoom_app(self.services.vault, **values)
        with self.services.database.writing() as session:
            session.add(app)
        return app

    def listing(self) -> Listing:
        return recall_listing.listing(self.services, self.workspace.id)

    def row(self, app: App) -> Listed:
        (found,) = [one for one in self.listing().rows if str(one.app.id) == app.id]
        return found

    def take_over(self, app: App, **over: Any) -> TakenOver:
        values: dict[str, Any] = {
            "name": "Notetaker",
            "environment": Environment.PRODUCTION,
            "scope_style": ScopeStyle.GRANULAR,
            "routing": Routing.DIRECT,
        }
        return adoption.take_over(
            self.services,
            self.workspace.id,
            UUID(app.id),
            TakeOver(**(values | over)),
            actor=ADMIN,
        )

    def find(self, zoom_app_id: UUID) -> ZoomApp:
        with self.services.database.reading() as session:
            return apps.get(session, zoom_app_id)

    def all(self) -> list[ZoomApp]:
        with self.services.database.reading() as session:
            return list(apps.list_all(session))


def an_adopting_stage(
    services: Services, sandbox: RunningSandbox, *, region: str = "us-east-1"
) -> AdoptingStage:
    sandbox.recall_world.add_workspace(region, API_KEY.get_secret_value())
    sandbox.zoom_world.add_app(
        name="Notetaker",
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET.get_secret_value(),
    )
    workspace = a_workspace(services.vault, region=region)
    with services.database.writing() as session:
        session.add(workspace)
    return AdoptingStage(services=services, sandbox=sandbox, workspace=workspace)
