"""Without a background worker no page says that anything goes on automatically."""

import re
from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from dashboard.models.circuit import CircuitKind, OpenCircuit
from dashboard.models.connection import Connection, TokenState
from dashboard.models.ids import new_id
from dashboard.models.resend import Resend, ResendState
from dashboard.models.staff import Role
from dashboard.models.webhook import Attempt, Outcome, Webhook
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import metrics
from dashboard.services.heartbeats import heartbeats
from dashboard.services.runtime import Runtime
from tests.conftest import SignIn
from tests.makers import NOON, a_body, a_connection, a_webhook, saved_app

pytestmark = pytest.mark.usefixtures("real_heartbeats")

MEETING = 91234567890
SINCE = "The background worker has not reported since 11:30 UTC."
STEP = "dashboard serve"
PROMISES = re.compile(
    r"sent automatically|retried automatically|No action needed|again automatically"
    r"|The next attempt is|Next check|a minute, "
)


class Story:
    """A zoom app with a webhook that waits, tried once, and a user not yet checked."""

    def __init__(self, runtime: Runtime, http: FlaskClient) -> None:
        self._runtime = runtime
        self.http = http
        with runtime.database.writing() as session:
            app_id = saved_app(session, runtime.vault)
            self.app = session.get_one(ZoomApp, app_id)
            self.hook: Webhook = a_webhook(
                self.app,
                meeting_id=MEETING,
                zoom_user_id="ana",
                outcome=Outcome.WAITING,
                received_at=NOON - timedelta(hours=1),
                due_at=NOON - timedelta(minutes=20),
            )
            self.row: Connection = a_connection(
                self.app,
                zoom_user_id="ana",
                email="ana@example.com",
                token_state=TokenState.UNKNOWN,
            )
            body = a_body(runtime.vault, self.hook)
            session.add_all([self.hook, self.row, body])
            session.flush()
            self.resend_id = new_id(NOON)
            session.add(
                Resend(
                    id=self.resend_id,
                    query="event=meeting.created",
                    expected=1,
                    total=1,
                    state=ResendState.SENDING,
                    asked_at=NOON - timedelta(minutes=40),
                    asked_by="admin@example.com",
                    gathered_below=None,
                )
            )
            self.hook_id, self.row_id, self.app_id = self.hook.id, self.row.id, app_id
            session.add(
                Attempt(
                    id=new_id(NOON),
                    webhook_id=self.hook_id,
                    started_at=NOON - timedelta(minutes=50),
                    latency_ms=3,
                    status=503,
                    sent_sha256="",
                )
            )

    def beats(self, **ago: float) -> None:
        with self._runtime.database.writing() as session:
            at = NOON - timedelta(**ago)
            heartbeats.beat(session, "w:1", started_at=at, version="0.3.0", now=at)

    def pauses(self) -> None:
        with self._runtime.database.writing() as session:
            circuit = OpenCircuit(
                id=self.app_id,
                kind=CircuitKind.ZOOM_APP,
                is_holding=True,
                reason="Recall rejects the signature.",
                since=NOON - timedelta(minutes=50),
                probe_at=NOON,
            )
            session.add(circuit)

    def read(self, url: str, selector: str = "main", **form: object) -> str:
        answer = self.http.post(url, data=form) if form else self.http.get(url)
        assert answer.status_code == 200, url
        part = BeautifulSoup(answer.text, "html5lib").select_one(selector)
        assert part is not None, url
        return " ".join(part.text.split())

    def pages(self) -> dict[str, str]:
        return {
            "overview": self.read("/", "#attention"),
            "zoom app": self.read(f"/zoom-apps/{self.app_id}"),
            "webhook": self.read(f"/webhooks/{self.hook_id}"),
            "connection": self.read(f"/connections/{self.row_id}", ".stack .card"),
            "connections": self.read("/connections/?q=ana", "#connections-list"),
            "resends": self.read(f"/webhooks/resends/{self.resend_id}"),
            "explain meeting": self.read("/explain/", q=MEETING),
            "explain webhook": self.read("/explain/", q=self.hook_id),
        }


@pytest.fixture
def story(runtime: Runtime, as_role: SignIn) -> Story:
    return Story(runtime, as_role(Role.SUPPORT))


@pytest.mark.parametrize("is_paused", [False, True])
def test_every_page_says_since_when_and_who_does_what(
    story: Story, *, is_paused: bool
) -> None:
    story.beats(minutes=30)
    if is_paused:
        story.pauses()

    for name, text in story.pages().items():
        assert SINCE in text, (name, text)
        assert STEP in text or "operator" in text, (name, text)
        assert is_paused or not PROMISES.search(text), (name, text)


@pytest.mark.parametrize(
    "name", ["overview", "zoom app", "webhook", "explain meeting", "explain webhook"]
)
def test_what_waits_is_shown_with_its_last_try(story: Story, name: str) -> None:
    story.beats(minutes=30)

    assert "The last try was at 11:10 UTC." in story.pages()[name]


def test_with_a_worker_no_page_speaks_of_it(story: Story) -> None:
    story.beats(seconds=10)

    for name, text in story.pages().items():
        assert "background worker" not in text, (name, text)
    assert "No action needed" in story.pages()["explain webhook"]


def test_explain_names_the_operator_and_not_nobody(story: Story) -> None:
    story.beats(minutes=30)

    text = story.read("/explain/", q=story.hook_id)

    assert f"Action needed by an operator: Start `{STEP}`." in text


def test_a_web_process_stays_ready_and_says_it(story: Story) -> None:
    story.beats(minutes=30)

    answer = story.http.get("/readyz")

    assert (answer.status_code, answer.text) == (
        200,
        f"ok\nworker: {SINCE} An operator starts `{STEP}`.\n",
    )


def test_one_statement_however_many_webhooks_wait(
    story: Story, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    find = heartbeats.find

    def counting(*given: Any, **named: Any) -> heartbeats.WorkerStatus:
        asked.append(given)
        return find(*given, **named)

    monkeypatch.setattr(heartbeats, "find", counting)
    with runtime.database.writing() as session:
        session.add_all([a_webhook(story.app) for _ in range(30)])

    story.read("/", "#attention")

    assert len(asked) == 1


def test_the_lists_say_who_acts_and_find_them(story: Story) -> None:
    story.beats(minutes=30)

    operators = story.read("/connections/?who=operator", "#connections-list")
    nobodys = story.read("/connections/?who=nobody", "#connections-list")
    resends = story.read("/webhooks/resends", "#resends")

    assert f"An operator must act. Start `{STEP}`." in operators
    assert "No matching connections" in nobodys
    assert "Sending: no worker" in resends


def test_the_metrics_say_how_long_ago_a_worker_reported(
    story: Story, runtime: Runtime
) -> None:
    def age() -> str:
        with runtime.database.reading() as session:
            text = metrics.page(
                session, open_streams=0, token_requests=runtime.token_requests, now=NOON
            ).decode()
        name = "dashboard_worker_heartbeat_age_seconds"
        found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
        assert found is not None
        return found[1]

    none = age()
    story.beats(minutes=30)

    assert (none, age()) == ("+Inf", "1800.0")
