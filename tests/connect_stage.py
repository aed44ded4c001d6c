"""A zoom app that users can connect: known here, at the simulated Zoom and Recall."""

from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit
from uuid import UUID

from dashboard.db import Database
from dashboard.models.connection import ConnectAttempt, Connection
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import Kind, ZoomApp
from dashboard.sandbox.recall.records import App, Credential
from dashboard.sandbox.recall.records import Kind as RecallKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.sandbox.zoom.records import Code, ZoomUser
from dashboard.services.connect import flow
from dashboard.services.connect.callbacks import Finished
from dashboard.services.connect.flow import Begun
from dashboard.services.runtime import Services
from tests.makers import API_KEY, CLIENT_SECRET, SECRET_TOKEN, a_workspace, a_zoom_app

BROWSER = "test-browser-0001-aaaaaaaaaaaaaaaaaaaaaaaaa"
OTHER = "test-browser-0002-bbbbbbbbbbbbbbbbbbbbbbbbb"
REGION = "us-east-1"


@dataclass(kw_only=True)
class ConnectStage:
    services: Services
    sandbox: RunningSandbox
    app: ZoomApp
    recall_app: App
    ana: ZoomUser
    users: dict[str, ZoomUser] = field(default_factory=dict)

    def begin(self, browser: str = BROWSER) -> Begun:
        return flow.begin(self.services, self.app.slug, browser=browser)

    def allow(self, begun: Begun, user: ZoomUser | None = None) -> dict[str, str]:
        """Allow at the simulated Zoom; return the callback's query."""
        asked = dict(parse_qsl(urlsplit(begun.authorize_url).query))
        del asked["response_type"]
        person = user or self.ana
        return query_of(self.sandbox.zoom_world.authorize(person.id, **asked))

    def finish(self, browser: str | None = BROWSER, **query: str) -> Finished:
        return flow.finish(
            self.services,
            state=query.get("state"),
            code=query.get("code"),
            error=query.get("error"),
            browser=browser,
        )

    def outcome(self, **query: str) -> ConnectAttempt:
        """Finish the trip that `query` belongs to; return how it ended."""
        finished = self.finish(**query)
        assert finished.attempt_id is not None
        return self.attempt(finished.attempt_id)

    def connect(self, user: ZoomUser | None = None) -> Connection:
        """Go the whole way; return the connection."""
        begun = self.begin()
        self.finish(**self.allow(begun, user))
        connection_id = self.attempt(begun.attempt_id).connection_id
        assert connection_id is not None
        return self.connection(connection_id)

    def attempt(self, attempt_id: UUID) -> ConnectAttempt:
        with self.services.database.reading() as session:
            return session.get_one(ConnectAttempt, attempt_id)

    def connection(self, connection_id: UUID) -> Connection:
        with self.services.database.reading() as session:
            return session.get_one(Connection, connection_id)

    def credentials(self) -> list[Credential]:
        return self.sandbox.recall_world.credentials_of(self.recall_app)

    def code(self, text: str) -> Code:
        return self.sandbox.zoom_world.state.codes[text]


def query_of(url: str) -> dict[str, str]:
    return {name: found[0] for name, found in parse_qs(urlsplit(url).query).items()}


def a_connect_stage(
    services: Services,
    sandbox: RunningSandbox,
    *,
    database: Database | None = None,
    kind: Kind = Kind.USER_LEVEL,
    **over: Any,
) -> ConnectStage:
    # Of an SQLite file the services' own is the one that may write.
    if database is not None and not database.is_sqlite:
        services = replace(services, database=database)
    zoom, recall = sandbox.zoom_world, sandbox.recall_world
    secret = CLIENT_SECRET.get_secret_value()
    redirect_url = f"{services.public_url}/oauth/zoom/callback"
    at_zoom = zoom.add_app(
        name="Notetaker", kind=kind, client_secret=secret, redirect_url=redirect_url
    )
    recall_app = recall.add_app(
        recall.add_workspace(REGION, API_KEY.get_secret_value()),
        kind=RecallKind(kind),
        client_id=at_zoom.client_id,
        client_secret=secret,
        webhook_secret=SECRET_TOKEN.get_secret_value(),
    )
    workspace: Workspace = a_workspace(services.vault, region=REGION)
    values = {"recall_app_id": UUID(recall_app.id), **over}
    app = a_zoom_app(services.vault, client_id=at_zoom.client_id, kind=kind, **values)
    with services.database.writing() as session:
        session.add(workspace)
        session.flush()
        app.workspace_id = workspace.id
        session.add(app)
    ana = zoom.add_user(email="ana@example.com", pmi=5551234567, role_name="Admin")
    return ConnectStage(
        services=services, sandbox=sandbox, app=app, recall_app=recall_app, ana=ana
    )
