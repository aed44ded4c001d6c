"""What the people of a story do with a browser: an admin, and users who connect."""

import re
from dataclasses import dataclass
from uuid import UUID

from tests.independent.browser import Browser, Page
from tests.independent.stage import Stage
from tests.independent.world import PairAtZoom


@dataclass(frozen=True, kw_only=True)
class Admin:
    """An admin who is signed in."""

    stage: Stage
    browser: Browser

    def enter_app(
        self,
        pair: PairAtZoom,
        *,
        client_secret: str | None = None,
        custody: str = "recall",
        kind: str = "user_level",
    ) -> Page:
        """Press *Verify and save*, with another secret if one is given."""
        return self.browser.submit(
            self.browser.get("/zoom-apps/new/credentials"),
            "/zoom-apps/new",
            name="Notetaker",
            client_id=f"  {pair.client_id} ",
            client_secret=client_secret or pair.client_secret,
            secret_token=pair.secret_token,
            custody=custody,
            kind=kind,
        )

    def enter_workspace(self, api_key: str) -> Page:
        return self.browser.submit(
            self.browser.get("/workspaces/new"),
            "/workspaces/new",
            name="Workspace",
            region="us-east-1",
            api_key=api_key,
        )

    def create_in_recall(self, app_id: UUID) -> Page:
        page = self.browser.get(f"/zoom-apps/{app_id}")
        workspace = page.one("select[name=workspace_id] option[value*='-']")
        return self.browser.submit(
            page, "/create-in-recall", workspace_id=str(workspace["value"])
        )

    def set_up(
        self, pair: PairAtZoom, *, custody: str = "recall", kind: str = "user_level"
    ) -> UUID:
        """Enter the app and the workspace, create it in Recall; return the app's ID."""
        saved = self.enter_app(pair, custody=custody, kind=kind)
        app_id = UUID(saved.path.rpartition("/")[2])
        self.enter_workspace(self.stage.world.api_key)
        self.create_in_recall(app_id)
        return app_id

    def send_directly(self, app_id: UUID) -> None:
        """Have Zoom send its webhooks to Recall, not here."""
        path = f"/zoom-apps/{app_id}/edit"
        saved = self.browser.submit(self.browser.get(path), "/edit", routing="direct")
        assert saved.path == f"/zoom-apps/{app_id}", saved.text

    def invite(self, app_id: UUID, email: str) -> str:
        """Make a link for one person; return its path."""
        form = self.browser.get("/connections/invitations/new")
        made = self.browser.submit(
            form, "/connections/invitations/", app=str(app_id), email=email
        )
        found = re.search(rf"{re.escape(self.stage.url)}(/[^\s\"'<]+)", str(made.soup))
        assert found, made.text
        return found[1]

    def webhook_url(self, app_id: UUID) -> str:
        return f"{self.stage.url}/hooks/zoom/{app_id}"

    def connect_path(self, app_id: UUID) -> str:
        """Return the path of the connect page, as the app's page shows it."""
        text = str(self.browser.get(f"/zoom-apps/{app_id}").soup)
        start = text.index("/connect/")
        end = min(text.index(mark, start) for mark in "\"'<?" if mark in text[start:])
        return text[start:end]


def connect(stage: Stage, path: str, user_id: str) -> Page:
    """Go through the connect page and Zoom's consent; return the page at the end."""
    visitor = Browser(stage.url)
    try:
        away = visitor.send(visitor.get(path), path)
        back = stage.world.allow(str(away.headers["location"]), user_id)
        return visitor.get(back.removeprefix(stage.url))
    finally:
        visitor.close()
