"""A zoom app that Zoom posts to Recall directly, and the dashboard's looks at it."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
from sqlmodel import col, select

from dashboard.models.check import Check, Source
from dashboard.models.watch import Watch
from dashboard.models.zoom_app import Routing
from dashboard.sandbox.recall.records import App
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.probes import watcher
from dashboard.services.recall_apps import creation
from dashboard.services.runtime import Services
from dashboard.services.validation import evidence
from dashboard.services.validation.evidence import ValidationStatus
from tests.makers import API_KEY, SECRET_TOKEN, FakeClock, a_workspace, a_zoom_app

CLIENT_ID = "simClient0000000000001"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Both sides of one zoom app.

    Attributes:
        there: Recall's own record of it.
    """

    services: Services
    sandbox: RunningSandbox
    clock: FakeClock
    app_id: UUID
    there: App

    def look(self) -> int:
        """Do the looks that are due, to the end."""
        return watcher.look_around(self.services, pause=lambda _: None)

    def open_page(self) -> None:
        """Have somebody look at the app's page, as the web process says."""
        with self.services.database.writing() as session:
            watcher.watched(session, [self.app_id], now=self.clock.now())

    def hasten(self) -> None:
        with self.services.database.writing() as session:
            watcher.hasten(session, self.app_id, now=self.clock.now())

    def wait(self, **amount: float) -> None:
        """Let time pass on both sides."""
        self.clock.advance(**amount)
        self.sandbox.clock.advance(timedelta(**amount).total_seconds())

    def row(self) -> Watch:
        with self.services.database.reading() as session:
            return session.get_one(Watch, self.app_id)

    def checks(self, *sources: Source) -> list[Check]:
        """Return the evidence of these sources, oldest first."""
        query = select(Check).where(
            col(Check.zoom_app_id) == self.app_id, col(Check.source).in_(sources)
        )
        with self.services.database.reading() as session:
            return list(session.exec(query.order_by(col(Check.id))).all())

    def recalls(self) -> ValidationStatus:
        """Return Recall's clock."""
        with self.services.database.reading() as session:
            seen = evidence.evidence(session, self.app_id)
        return evidence.recalls(seen, self.clock.now())

    def press_validate(self) -> None:
        """Press Validate in the simulated Zoom, with Recall's URL."""
        path = f"/api/v2/zoom-oauth-apps/{self.there.id}/webhook"
        url = f"{self.sandbox.recall_url}{path}"
        assert self.sandbox.zoom_world.validate(CLIENT_ID, url).valid


@pytest.fixture
def stage(services: Services, sandbox: RunningSandbox, clock: FakeClock) -> Stage:
    return a_stage(services, sandbox, clock, routing=Routing.DIRECT)


def a_stage(
    services: Services, sandbox: RunningSandbox, clock: FakeClock, *, routing: Routing
) -> Stage:
    sandbox.zoom_world.add_app(
        client_id=CLIENT_ID, secret_token=SECRET_TOKEN.get_secret_value()
    )
    sandbox.recall_world.add_workspace("us-east-1", API_KEY.get_secret_value())
    zoom_app = a_zoom_app(services.vault, client_id=CLIENT_ID, routing=routing)
    workspace = a_workspace(services.vault)
    with services.database.writing() as session:
        session.add(zoom_app)
        session.add(workspace)
    creation.create_in_recall(services, zoom_app.id, workspace.id)
    (there,) = sandbox.recall_world.apps.values()
    return Stage(
        services=services,
        sandbox=sandbox,
        clock=clock,
        app_id=zoom_app.id,
        there=there,
    )
