"""The dashboard, its worker and the simulators in one process, with one moved clock."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect
from sqlmodel import col, func, select
from werkzeug.serving import WSGIRequestHandler, make_server

from dashboard.app import build_services, chores, create_app
from dashboard.clock import Clock
from dashboard.models.staff import Role
from dashboard.models.webhook import Refusal, Webhook
from dashboard.models.zoom_app import Routing
from dashboard.sandbox.recall.records import App as RecallApp
from dashboard.sandbox.serving import RunningSandbox
from dashboard.sandbox.zoom.records import ZoomApp as AppAtZoom
from dashboard.services import audit
from dashboard.services.runtime import Services
from dashboard.services.staff import accounts
from dashboard.services.zoom_apps import credential_checks
from dashboard.services.zoom_apps.credentials import ZoomAppChanges
from dashboard.settings import load
from dashboard.web.live import watcher
from dashboard.worker import Worker
from tests.conftest import PASSWORD
from tests.connect_stage import ConnectStage, a_connect_stage
from tests.makers import SECRET_TOKEN
from tests.ports import free_ports
from tests.relay_stage import until

EMAIL = "admin@example.com"
_SHORT_S = 0.05


@dataclass(kw_only=True)
class Moved:
    """One zoom app at Zoom, here and in Recall, in time that a test moves.

    Attributes:
        stage: The app's three records, and a user.
        url: Of the dashboard; no trailing slash.
    """

    services: Services
    sandbox: RunningSandbox
    stage: ConnectStage
    url: str

    @property
    def app_id(self) -> UUID:
        return self.stage.app.id

    @property
    def webhook_url(self) -> str:
        return f"{self.url}/hooks/zoom/{self.app_id}"

    @property
    def recall_webhook_url(self) -> str:
        base = f"{self.sandbox.recall_url}/api/v2/zoom-oauth-apps"
        return f"{base}/{self.stage.recall_app.id}/webhook"

    @property
    def at_zoom(self) -> AppAtZoom:
        return self.sandbox.zoom_world.state.app(self.stage.app.client_id)

    @property
    def in_recall(self) -> RecallApp:
        return self.sandbox.recall_world.apps[self.stage.recall_app.id]

    def now(self) -> datetime:
        return self.services.clock.now()

    def move(self, **amount: float) -> None:
        """Let so much time pass, for the dashboard and the simulators alike."""
        instant = self.now() + timedelta(**amount)
        self.services.clock.set(instant)
        self.sandbox.clock.set(instant)
        self.sandbox.zoom_world.state.woken.set()

    def press_validate(self, zoom: Page, url: str | None = None) -> None:
        """Press Validate at the simulated Zoom, as the admin does."""
        zoom.goto(f"{self.sandbox.zoom_url}/marketplace/apps/{self.at_zoom.client_id}")
        field = zoom.get_by_label("Event notification endpoint URL")
        field.fill(url or self.webhook_url)
        zoom.get_by_role("button", name="Validate").click()

    def open(self, page: Page) -> None:
        """Sign in and open the zoom app's page; it is live when this returns."""
        page.goto(f"{self.url}/zoom-apps/{self.app_id}")
        if page.get_by_label("Password").is_visible():
            page.get_by_label("E-mail").fill(EMAIL)
            page.get_by_label("Password").fill(PASSWORD.get_secret_value())
            page.get_by_role("button", name="Sign in").click()
            page.goto(f"{self.url}/zoom-apps/{self.app_id}")
        expect(page.locator("[data-live-word]").first).to_have_text("live")

    def route_directly(self) -> None:
        """Have Zoom post to Recall from now on, as the edit page does."""
        changes = ZoomAppChanges(name=self.stage.app.name, routing=Routing.DIRECT)
        credential_checks.change(
            self.services, self.app_id, changes, actor=audit.COMMAND_LINE
        )

    def meet(self, zoom_user_id: str) -> None:
        """Schedule a meeting at Zoom; returns when its event is here."""
        before = self.requests_from_zoom()
        self.sandbox.zoom_world.create_meeting(zoom_user_id)
        until(lambda: self.requests_from_zoom() > before)

    def requests_from_zoom(self) -> int:
        """Count what the dashboard took in or refused."""
        with self.services.database.reading() as session:
            taken = session.exec(select(func.count(col(Webhook.id)))).one()
            refused = session.exec(select(func.count(col(Refusal.id)))).one()
            return taken + refused


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@pytest.fixture
def bare(
    running_sandbox: RunningSandbox, migrated_sqlite: Path, tmp_path: Path
) -> Iterator[Services]:
    """Serve a dashboard in which there is nothing yet but an admin."""
    running_sandbox.reset()
    file = tmp_path / "dashboard.db"
    file.write_bytes(migrated_sqlite.read_bytes())
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    settings = load(
        instance=tmp_path,
        public_url=url,
        database_url=f"sqlite:///{file}",
        zoom_url=running_sandbox.zoom_url,
        zoom_api_url=running_sandbox.zoom_url,
        recall_url=running_sandbox.recall_url,
    )
    services = build_services(settings, listens_on=url, clock=Clock())
    with services.database.writing() as session:
        accounts.add(
            session,
            email=EMAIL,
            role=Role.ADMIN,
            password=PASSWORD,
            now=services.clock.now(),
        )
    app = create_app(services)
    server = make_server(
        "127.0.0.1", port, app.wsgi_app, threaded=True, request_handler=_Quiet
    )
    serving = threading.Thread(target=server.serve_forever, args=(_SHORT_S,))
    worker = Worker(services, chores=chores(services))
    serving.start()
    worker.start()
    try:
        yield services
    finally:
        watcher.watcher_of(app).close()
        server.shutdown()
        serving.join()
        server.server_close()
        worker.stop()
        services.close()
        running_sandbox.reset()


@pytest.fixture
def moved(bare: Services, running_sandbox: RunningSandbox) -> Moved:
    """Add one zoom app; the present is now until a test moves it."""
    stage = a_connect_stage(bare, running_sandbox, routing=Routing.RELAY)
    running_sandbox.zoom_world.change_app(
        stage.app.client_id, secret_token=SECRET_TOKEN.get_secret_value()
    )
    return Moved(
        services=bare, sandbox=running_sandbox, stage=stage, url=bare.public_url
    )
