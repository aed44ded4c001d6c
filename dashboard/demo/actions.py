"""What the people of the story do: moves both clocks; the product does the rest."""

import random
import re
import secrets
import time
from contextlib import suppress
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import httpx2
from pydantic import SecretStr
from sqlmodel import col, select

from dashboard.demo.people import TOPICS, Fate, Person
from dashboard.demo.simulators import Simulators
from dashboard.errors import DashboardError, UpstreamError
from dashboard.models.connection import Connection
from dashboard.models.zoom_app import Environment, Kind, Routing
from dashboard.services import urls
from dashboard.services.audit import Actor
from dashboard.services.connect import flow, page_designs
from dashboard.services.connect.page_designs import Texts
from dashboard.services.connections import check
from dashboard.services.going_live import transition
from dashboard.services.invitations import invitations
from dashboard.services.invitations.invitations import Wanted
from dashboard.services.recall import workspaces
from dashboard.services.recall.workspaces import NewWorkspace
from dashboard.services.recall_apps import creation
from dashboard.services.runtime import Runtime
from dashboard.services.sweep import sweep
from dashboard.services.zoom_apps import apps, credential_checks
from dashboard.services.zoom_apps.apps import NewZoomApp, ZoomAppChanges
from dashboard.worker import Worker

_ANOTHER = SecretStr("simulated-secret-token-of-another-app")

_SEED = 20261123
_PAUSE_S = 0.05
_BEGAN_AGO = timedelta(hours=48)
_SCOPE_OF_ME = "user:read:user"
_WHO = Actor(name="admin@example.com")


class Story:
    """The teller: moves both clocks, and lets the product do the rest."""

    def __init__(self, runtime: Runtime, world: Simulators) -> None:
        self.runtime = runtime
        self.world = world
        self.chance = random.Random(_SEED)  # noqa: S311 - a story, no secret
        self.worker = Worker(runtime, chores=[])
        self.now = runtime.clock.now() - _BEGAN_AGO
        self.apps: dict[Environment, UUID] = {}
        self.client_ids: dict[Environment, str] = {}
        self.zoom_users: dict[str, str] = {}
        self.connected: list[Person] = []
        self.end = self.now + _BEGAN_AGO

    def at(self, instant: datetime) -> None:
        """Make it this instant for everybody and let what is due happen."""
        self.now = instant
        self.runtime.clock.set(instant)
        self.world.set_clock(instant)
        self.settle()

    def settle(self) -> None:
        """Let Zoom send, the dashboard forward, and Recall work off what is due."""
        self.world.zoom("do/deliver_due")
        self.runtime.writer.flush()
        self.worker.run_once(self.runtime.clock.now())
        self.world.recall("run-due")

    def set_up(self, environment: Environment, name: str, api_key: SecretStr) -> None:
        """Enter a zoom app, create it in Recall, put the webhook URL into Zoom."""
        made = self.world.zoom(
            "apps",
            name=name,
            environment=environment.value,
            redirect_url=urls.redirect_url(self.runtime.public_url),
            published=environment is Environment.PRODUCTION,
        )
        values = NewZoomApp(
            name=name,
            environment=environment,
            kind=Kind.USER_LEVEL,
            client_id=made["client_id"],
            client_secret=SecretStr(made["client_secret"]),
            secret_token=SecretStr(made["secret_token"]),
        )
        zoom_app_id = credential_checks.create(
            self.runtime, values, actor=_WHO
        ).zoom_app_id
        workspace_id = self._workspace(api_key)
        creation.create_in_recall(self.runtime, zoom_app_id, workspace_id, actor=_WHO)
        url = urls.webhook_url(self.runtime.public_url, zoom_app_id)
        self.world.zoom(
            f"apps/{made['client_id']}", webhook_url=url, deauthorization_url=url
        )
        self.world.zoom("do/validate", client_id=made["client_id"])
        self.apps[environment] = zoom_app_id
        self.client_ids[environment] = made["client_id"]
        self.settle()

    def _workspace(self, api_key: SecretStr) -> UUID:
        with self.runtime.database.reading() as session:
            there = workspaces.find_by_key(session, "us-east-1", api_key)
        if there is not None:
            return there.id
        values = NewWorkspace(name="Acme, US", region="us-east-1", api_key=api_key)
        return workspaces.create(self.runtime, values, actor=_WHO).workspace_id

    def make_by_hand(self, name: str, api_key: SecretStr) -> None:
        """Create an app in Recall without the dashboard."""
        made = self.world.zoom(
            "apps",
            name=name,
            redirect_url=urls.redirect_url(self.runtime.public_url),
        )
        self.runtime.recall("us-east-1", api_key).create_app(
            kind=Kind.USER_LEVEL.value,
            client_id=made["client_id"],
            client_secret=SecretStr(made["client_secret"]),
            webhook_secret=SecretStr(made["secret_token"]),
            idempotency_key=name,
        )

    def link(self) -> None:
        """Let an admin say that the production app takes over from development."""
        transition.link(
            self.runtime,
            self.apps[Environment.DEVELOPMENT],
            self.apps[Environment.PRODUCTION],
            actor=_WHO,
        )

    def join(self, person: Person) -> None:
        """Let a person connect Zoom through the hosted page."""
        environment = environment_of(person)
        if person.fate is Fate.WITHHOLDS_SCOPES:
            self.world.zoom("switches", withheld_scopes=[_SCOPE_OF_ME])
        if person.email not in self.zoom_users:
            user = self.world.zoom(
                "users",
                email=person.email,
                first_name=person.first,
                last_name=person.last,
            )
            self.zoom_users[person.email] = user["id"]
        connect(
            self.runtime,
            self.world,
            zoom_app_id=self.apps[environment],
            zoom_user_id=self.zoom_users[person.email],
        )
        self.world.zoom("switches", withheld_scopes=[])
        self.connected.append(person)
        self.settle()

    def meet(self, person: Person) -> None:
        """Let a person make a meeting, now and then change one or the own PMI."""
        user_id = self.zoom_users[person.email]
        meeting = self.world.zoom(
            "do/create_meeting",
            user_id=user_id,
            topic=self.chance.choice(TOPICS),
        )
        self.settle()
        if self.chance.random() < 0.15:  # noqa: PLR2004 - one in seven
            self.world.zoom(
                "do/update_meeting",
                meeting_id=meeting["id"],
                topic="Moved: " + TOPICS[0],
            )
        if self.chance.random() < 0.06:  # noqa: PLR2004 - one in sixteen
            pmi = self.chance.randrange(2_000_000_000, 9_999_999_999)
            self.world.zoom("do/change_pmi", user_id=user_id, pmi=pmi)
        self.settle()

    def forge(self, requests: int) -> None:
        """Let a stranger post what Zoom never signed."""
        url = urls.webhook_url(
            self.runtime.public_url, self.apps[Environment.PRODUCTION]
        )
        headers = {
            "x-zm-request-timestamp": str(int(self.now.timestamp())),
            "x-zm-signature": "v0=" + "0" * 64,
        }
        with httpx2.Client(timeout=10) as http:
            for number in range(requests):
                body = b'{"event":"meeting.created","forged":%d}' % number
                http.post(url, content=body, headers=headers)

    def check(self) -> None:
        """Check every connection, as the sweep does over time."""
        while sweep.check_due(self.runtime, limit=50):
            pass

    def look_at(self, person: Person) -> None:
        """Check one person's connection now; Zoom may be too busy."""
        user_id = self.zoom_users[person.email]
        with self.runtime.database.reading() as session:
            query = select(Connection.id).where(col(Connection.zoom_user_id) == user_id)
            connection_id = session.exec(query).one()
        with suppress(UpstreamError):
            check.now(self.runtime, connection_id)

    def remove_app(self, person: Person) -> None:
        """Let a person remove the app at Zoom."""
        self.world.zoom(
            "do/uninstall",
            client_id=self.client_ids[environment_of(person)],
            user_id=self.zoom_users[person.email],
        )
        self.settle()

    def route(self, environment: Environment, routing: Routing) -> None:
        """Let an admin choose where Zoom is to post an app's webhooks."""
        zoom_app_id = self.apps[environment]
        with self.runtime.database.reading() as session:
            name = apps.get(session, zoom_app_id).name
        changes = ZoomAppChanges(name=name, routing=routing)
        credential_checks.change(self.runtime, zoom_app_id, changes, actor=_WHO)
        keyring = self.runtime.writer.keyring
        while (known := keyring.find_newer(zoom_app_id)) and known.routing != routing:
            time.sleep(_PAUSE_S)

    def swap_secret_in_recall(self, environment: Environment) -> None:
        """Save another secret token in Recall without the dashboard."""
        with self.runtime.database.reading() as session:
            zoom_app = apps.get(session, self.apps[environment])
            recall, recall_app_id = workspaces.recall_of(
                self.runtime, session, zoom_app
            )
        recall.update_app(recall_app_id, webhook_secret=_ANOTHER)
        self.world.zoom("do/validate", client_id=self.client_ids[environment])
        self.settle()


def environment_of(person: Person) -> Environment:
    """Return which of the two apps a person connects to."""
    return Environment.DEVELOPMENT if person.is_tester else Environment.PRODUCTION


_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


def connect(
    runtime: Runtime, world: Simulators, *, zoom_app_id: UUID, zoom_user_id: str
) -> None:
    """Open the page, press the button, allow at Zoom and come back.

    Raises:
        DashboardError: The page does not lead to Zoom.
    """
    with runtime.database.reading() as session:
        slug = apps.get(session, zoom_app_id).slug
    url = urls.connect_url(runtime.public_url, slug)
    with httpx2.Client(timeout=30) as browser:
        page = browser.get(url)
        token = _TOKEN.search(page.text)
        if token is None:
            raise DashboardError("The connect page shows no form.")
        left = browser.post(
            url, data={"csrf_token": token[1]}, headers={"Referer": url}
        )
        question = dict(parse_qsl(urlsplit(left.headers["Location"]).query))
        question.pop("response_type")
        back = world.zoom("do/authorize", user_id=zoom_user_id, **question)
        browser.get(back, follow_redirects=True)


_WHO = Actor(name="admin@example.com")
_TEXTS = Texts(
    organisation="Acme",
    intro="Our notetaker writes the minutes of your meetings, so that you need not.",
    contact="Acme IT, it@acme.example",
)
_INVITED = (
    Wanted(email="lena.fischer@example.com", user_ref="u-1041"),
    Wanted(email="omar.haddad@example.com", user_ref="u-1042"),
    Wanted(user_ref="u-1043"),
)


def invite(runtime: Runtime, zoom_app_id: UUID) -> None:
    """Design the hosted pages and invite three people; one opens her link."""
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        app = apps.get(session, zoom_app_id)
        page_designs.save(session, app, _TEXTS, actor=_WHO, now=now)
        made = invitations.make(session, app, _INVITED, actor=_WHO, now=now)
        first = made[0].invitation.id
        later = now + timedelta(minutes=4)
        invitations.opened(session, first, now=later)


def abandon(runtime: Runtime, zoom_app_id: UUID) -> None:
    """Begin a connect attempt that never comes back from Zoom."""
    with runtime.database.reading() as session:
        slug = apps.get(session, zoom_app_id).slug
    flow.begin(runtime, slug, browser=secrets.token_urlsafe(32))
