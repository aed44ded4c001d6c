"""A zoom app at work between a simulated Zoom and Recall while its token is rotated.

Zoom sends to the dashboard's own door, in simulated time, with its retries. Nothing
runs by itself: `step` lets Zoom send, the worker deliver and the chore go on.
"""

from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import httpx2
import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlmodel import col, select

from dashboard.models.secret_change import SecretChange
from dashboard.models.staff import Role
from dashboard.models.webhook import Outcome, Webhook
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.sandbox.recall.records import App, Kind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.sandbox.zoom import ZoomWorld
from dashboard.sandbox.zoom import records as zoom_records
from dashboard.services import audit
from dashboard.services.rotation import progress, rotations
from dashboard.services.rotation.progress import Card
from dashboard.services.rotation.rotations import Changed
from dashboard.services.runtime import Services
from dashboard.services.zoom_apps import apps
from dashboard.services.zoom_apps.credentials import ZoomAppChanges
from dashboard.worker import Worker
from tests.conftest import HTTPS, SignIn
from tests.makers import API_KEY, SECRET_TOKEN, FakeClock, a_workspace, a_zoom_app
from tests.sandbox.zoom_makers import a_user, an_app, tokens

API = "/api/v2/zoom-oauth-apps/"
FORMER = SECRET_TOKEN.get_secret_value()
STEP = timedelta(seconds=5)


class Stage:
    """One zoom app, its Zoom, its Recall and the dashboard between them.

    Attributes:
        zoom: The simulated Zoom; it posts to the dashboard's door.
        at_zoom: The app there.
        at_recall: The app there.
    """

    def __init__(
        self, services: Services, sandbox: RunningSandbox, clock: FakeClock, app: Flask
    ) -> None:
        self.services, self.sandbox, self.clock = services, sandbox, clock
        self.worker = Worker(services)
        self.zoom = ZoomWorld(
            sandbox.clock,
            allow_local=True,
            transport=httpx2.WSGITransport(app=app.wsgi_app),
        )
        self.at_zoom = an_app(self.zoom, secret_token=FORMER)
        self.at_recall = self._in_recall()
        self.app_id = self._here()
        self.user = a_user(self.zoom, role_name="Admin")
        tokens(self.zoom, self.at_zoom, self.user)
        address = f"{HTTPS}/hooks/zoom/{self.app_id}"
        assert self.zoom.validate(self.at_zoom.client_id, address).valid

    def _in_recall(self) -> App:
        world = self.sandbox.recall_world
        return world.add_app(
            world.add_workspace("us-east-1", API_KEY.get_secret_value()),
            kind=Kind.USER_LEVEL,
            client_id=self.at_zoom.client_id,
            client_secret="test-client-secret-0001",
            webhook_secret=FORMER,
        )

    def _here(self) -> UUID:
        with self.services.database.writing() as session:
            workspace = a_workspace(self.services.vault)
            session.add(workspace)
            session.flush()
            app = a_zoom_app(
                self.services.vault,
                client_id=self.at_zoom.client_id,
                recall_app_id=UUID(self.at_recall.id),
                workspace_id=workspace.id,
            )
            session.add(app)
            return app.id

    # What people and Zoom do

    def event(self, number: int = 1) -> None:
        """Let something happen at Zoom, and Zoom send it at once."""
        for _ in range(number):
            self.zoom.create_meeting(self.user.id)
        self.zoom.deliver_due()

    def straggler(self) -> None:
        """Let Zoom send one signed with its former secret token all the same."""
        self.zoom.switch(signing="previous_secret")
        self.event()
        self.zoom.switch(signing="right")

    def announce(self) -> None:
        rotations.announce(self.services, self.app_id, actor=audit.COMMAND_LINE)

    def regenerate(self) -> str:
        return self.zoom.regenerate_secret_token(self.at_zoom.client_id).secret_token

    def save(self, token: str, services: Any = None) -> Changed:
        """Enter a secret token here, as the edit page does."""
        return rotations.change(
            services or self.services,
            self.app_id,
            changes(token),
            actor=audit.COMMAND_LINE,
            pause=lambda _: self.step(timedelta(seconds=1)),
        )

    # Time

    def step(self, span: timedelta = STEP) -> None:
        """Let time pass and everybody do what is due; then the page must be true."""
        self.clock.instant += span
        self.sandbox.clock.set(self.clock.now())
        self.zoom.deliver_due()
        self.worker.run_once(self.clock.now())
        rotations.tend(self.services)
        self.worker.run_once(self.clock.now())
        self.require_true()

    def run(self, span: timedelta, step: timedelta = STEP) -> None:
        end = self.clock.now() + span
        while self.clock.now() < end:
            self.step(step)

    # What is so, and what is said

    def app(self) -> ZoomApp:
        with self.services.database.reading() as session:
            return apps.get(session, self.app_id)

    def change(self) -> SecretChange | None:
        with self.services.database.reading() as session:
            return rotations.latest(session, self.app_id)

    def card(self) -> Card | None:
        with self.services.database.reading() as session:
            app = apps.get(session, self.app_id)
            return progress.card(session, app, now=self.clock.now())

    def here(self) -> str:
        token = apps.secret_token(self.services.vault, self.app())
        return token.get_secret_value()

    def tone(self, key: str) -> str | None:
        """Return the tone of one of the card's lines; None while there is none."""
        card = self.card()
        lines = card.lines if card else ()
        return next((line.tone for line in lines if line.key == key), None)

    def require_true(self) -> None:
        """Nothing is called good that is not; both sides wrong is never silent."""
        here, there = self.here(), self.at_recall.webhook_secret
        at_zoom = self.at_zoom.secret_token
        said = self.card()
        if self.tone("recall") == "good":
            assert there == here
        if self.tone("zoom") == "good":
            assert here == at_zoom
        if said is None:
            assert there == here == at_zoom
        elif at_zoom not in {here, there}:
            assert {line.tone for line in said.lines} & {"waiting", "trouble"}

    def page(self, admin: FlaskClient) -> str:
        """Return the words of the card on the zoom app's page."""
        answer = admin.get(f"/zoom-apps/{self.app_id}")
        found = BeautifulSoup(answer.text, "html5lib").select_one("#zoom-app-rotation")
        assert answer.status_code == 200
        assert found is not None
        return " ".join(found.text.split())

    # The books

    def events_of_zoom(self) -> list[zoom_records.Delivery]:
        with self.zoom.state.lock:
            return [each for each in self.zoom.state.deliveries if each.kind == "event"]

    def events_taken(self) -> int:
        """Return how many events Recall took."""
        world = self.sandbox.recall_world
        with world.lock:
            return sum(
                each.status == 200 and b"url_validation" not in each.body
                for each in world.received
            )

    def dead(self) -> list[Webhook]:
        with self.services.database.reading() as session:
            query = select(Webhook).where(col(Webhook.outcome) == Outcome.DEAD)
            return list(session.exec(query))

    def require_nothing_lost(self) -> None:
        """All that Zoom sent was taken in the end, and is in Recall or dead for it."""
        sent = self.events_of_zoom()
        assert [each.state for each in sent] == ["delivered"] * len(sent)
        taken = self.sandbox.recall_world.digests
        dead = {each.body_sha256 for each in self.dead()}
        for each in sent:
            digest = sha256(each.body).hexdigest()
            assert taken[digest][200] == 1 or digest in dead
        for webhook in self.dead():
            assert webhook.outcome_reason.startswith(
                "Signed with the former secret token, which Recall does not hold any"
            )


def changes(token: str | None = None, client_secret: str | None = None) -> Any:
    return ZoomAppChanges(
        name="Notetaker",
        routing=Routing.RELAY,
        secret_token=SecretStr(token) if token else None,
        client_secret=SecretStr(client_secret) if client_secret else None,
    )


@pytest.fixture
def stage(
    services: Services, sandbox: RunningSandbox, clock: FakeClock, app: Flask
) -> Iterator[Stage]:
    made = Stage(services, sandbox, clock, app)
    yield made
    made.zoom.close()


@pytest.fixture
def admin(as_role: SignIn) -> FlaskClient:
    return as_role(Role.ADMIN)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)
