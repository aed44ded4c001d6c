"""Every place says the same of each thing: state, reason, who must act, since when.

A matrix of zoom apps, workspaces, connections and webhooks is stored. What each page,
export, command and /metrics says of each is read from the outside and compared.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from bs4 import BeautifulSoup, Tag
from flask.testing import FlaskClient

from dashboard.clock import Clock
from dashboard.models.check import Finding, Source
from dashboard.models.circuit import CircuitKind, OpenCircuit
from dashboard.models.connection import Connection, TokenCause, TokenState
from dashboard.models.staff import Role
from dashboard.models.webhook import Outcome
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import Environment, Routing
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services import metrics
from dashboard.services.runtime import Runtime
from dashboard.services.validation import evidence
from tests.conftest import SignIn
from tests.fixtures.terminal import Terminal
from tests.makers import NOON, a_body, a_connection, a_webhook, a_workspace, a_zoom_app

HOUR = timedelta(hours=1)
RIGHT: dict[str, Any] = {"verdict": Verdict.RIGHT, "checked_at": NOON - HOUR}
OLD: dict[str, Any] = {"verdict": Verdict.RIGHT, "checked_at": NOON - 72 * HOUR}
WRONG: dict[str, Any] = {
    "verdict": Verdict.WRONG,
    "checked_at": NOON - HOUR,
    "verdict_since": NOON - 5 * HOUR,
}
APPS: dict[str, dict[str, Any]] = {
    "fine": RIGHT,
    "wrong pair": WRONG,
    "switched off": {"is_switched_off": True, "checked_at": NOON - HOUR},
    "doubted": RIGHT | {"pair_doubted_at": NOON - HOUR / 2},
    "differs in Recall": RIGHT | {"pair_doubted_at": NOON - 2 * HOUR},
    "not verified": {},
    "verified long ago": OLD,
    "not in Recall": RIGHT | {"recall_app_id": None},
    "retired": RIGHT | {"retired_at": NOON - HOUR},
    "Zoom's secret differs": RIGHT,
    "Recall's secret differs": RIGHT,
    "deleted in Recall": RIGHT,
    "paused": RIGHT,
    "Recall is down": RIGHT,
    "direct": RIGHT | {"routing": Routing.DIRECT},
}
WORKSPACES: dict[str, dict[str, Any]] = {
    "valid key": RIGHT,
    "wrong key": WRONG,
    "unchecked key": {},
    "key checked long ago": OLD,
}
CROSSED = [
    *product(APPS, ("valid key", "wrong key")),
    *product(("fine",), ("unchecked key", "key checked long ago")),
]
CHECKS = {
    "Zoom's secret differs": (Source.ZOOM_CHALLENGE, Finding.SECRET_MISMATCH),
    "Recall's secret differs": (Source.RECALL_PROBE, Finding.SECRET_MISMATCH),
    "deleted in Recall": (Source.RECALL_API, Finding.GONE),
}
PAUSES = {"paused": 401, "Recall is down": 503}
CONNECTIONS: dict[str, dict[str, Any]] = {
    "healthy": {},
    "checked long ago": {"token_checked_at": NOON - 48 * HOUR},
    "invalid": {"token_state": TokenState.RECONNECT_NEEDED},
    "unhealthy": {"token_state": TokenState.UNHEALTHY_IN_RECALL},
    "no credit": {
        "token_state": TokenState.UNKNOWN,
        "token_cause": TokenCause.NO_CREDIT,
    },
    "blocked": {"recording_block": "Local recording is disabled."},
}
WEBHOOKS: dict[str, dict[str, Any]] = {
    "waiting": {"outcome": Outcome.WAITING},
    "rejected once": {"outcome": Outcome.WAITING, "refused_at": NOON - HOUR},
    "failed": {"outcome": Outcome.DEAD, "outcome_reason": "Recall answered 410."},
    "resent": {"outcome": Outcome.DEAD, "delivered_at": NOON},
    "delivered": {"outcome": Outcome.DELIVERED, "delivered_at": NOON},
}
ACTORS = {"An admin": "admin", "The user": "user", "The host": "host"}
LABEL = re.compile(r"Action needed by (?:an|the) (\w+):")


@dataclass
class World:
    """What is stored: apps by (app, workspace), and what each has."""

    apps: dict[tuple[str, str], UUID] = field(default_factory=dict)
    workspaces: dict[UUID, UUID] = field(default_factory=dict)
    connections: dict[UUID, UUID] = field(default_factory=dict)
    webhooks: dict[int, UUID] = field(default_factory=dict)


@pytest.fixture
def world(runtime: Runtime) -> World:
    """Store every app with every workspace, each with all connections and webhooks."""
    made = World()
    with runtime.database.writing() as session:
        for name, where in CROSSED:
            workspace = a_workspace(
                runtime.vault,
                name=f"{name}, {where}",
                api_key_print=uuid4().hex[:8],
                **WORKSPACES[where],
            )
            session.add(workspace)
            session.flush()
            app = a_zoom_app(
                runtime.vault,
                name=f"{name}, {where}",
                environment=Environment.PRODUCTION,
                workspace_id=workspace.id,
                secret_token_set_at=NOON - 99 * HOUR,
                **({"recall_app_id": uuid4()} | APPS[name]),
            )
            session.add(app)
            session.flush()
            made.apps[name, where] = app.id
            made.workspaces[app.id] = workspace.id
            good = (Source.ZOOM_CHALLENGE, Source.RECALL_PROBE)
            for source, finding, age in (
                *((each, Finding.GOOD, 3) for each in good),
                *(((*CHECKS[name], 1),) if name in CHECKS else ()),
            ):
                evidence.record(
                    session,
                    zoom_app_id=app.id,
                    source=source,
                    finding=finding,
                    detail="It was seen.",
                    at=NOON - age * HOUR,
                )
            if name in PAUSES:
                session.add(
                    OpenCircuit(
                        id=app.id,
                        kind=CircuitKind.ZOOM_APP,
                        is_holding=True,
                        reason="Recall said no.",
                        status=PAUSES[name],
                        since=NOON - 2 * HOUR,
                        probe_at=NOON + HOUR,
                    )
                )
            for row in _rows(app):
                session.add(row)
                session.flush()
                if isinstance(row, Connection):
                    made.connections[row.id] = app.id
                else:
                    made.webhooks[row.id] = app.id
                    session.add(a_body(runtime.vault, row))
    return made


def _rows(app: Any) -> list[Any]:
    connections = [
        a_connection(
            app,
            **{
                "zoom_user_id": uuid4().hex[:20],
                "token_checked_at": NOON - HOUR,
                "token_since": NOON - 4 * HOUR,
                "token_reason": "It was seen.",
                "recall_credential_id": uuid4(),
                **over,
            },
        )
        for over in CONNECTIONS.values()
    ]
    hooks = [
        a_webhook(app, received_at=NOON - HOUR, due_at=NOON, **over)
        for over in WEBHOOKS.values()
    ]
    return [*connections, *hooks]


@pytest.fixture
def admin(as_role: SignIn) -> FlaskClient:
    return as_role(Role.ADMIN)


Run = Callable[..., Any]


@pytest.fixture
def run(
    runtime: Runtime,
    sandbox: RunningSandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """Run a command with --json as of noon; return its object."""
    monkeypatch.setattr(Clock, "now", lambda _: NOON)
    terminal = Terminal(tmp_path, sandbox)

    def ran(*words: str) -> Any:
        url = runtime.settings.sqlalchemy_url
        done = terminal.run(*words, "--json", DASHBOARD_DATABASE_URL=url)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ran


def prometheus(runtime: Runtime) -> str:
    with runtime.database.reading() as session:
        return metrics.page(
            session, open_streams=0, token_requests=runtime.token_requests, now=NOON
        ).decode()


def soup(http: FlaskClient, path: str, **query: str) -> BeautifulSoup:
    answer = http.get(path, query_string=query)
    assert answer.status_code == 200, path
    return BeautifulSoup(answer.text, "html5lib")


def one(page: BeautifulSoup | Tag, selector: str) -> Tag:
    found = page.select_one(selector)
    assert found is not None, selector
    return found


def words(tag: Tag) -> str:
    return " ".join(tag.text.split())


def since(tag: Tag) -> str | None:
    time = tag.select_one("time")
    return None if time is None else str(time["datetime"])


def iso(at: str | None) -> str | None:
    if at is None:
        return None
    return f"{datetime.fromisoformat(at):%Y-%m-%dT%H:%M:%SZ}"


def actor(text: str) -> str:
    """Read who must act from a page."""
    named = [who for said, who in ACTORS.items() if f"{said} must act." in text]
    label = LABEL.search(text)
    found = named or ([label[1]] if label else [])
    assert len(found) <= 1, text
    return found[0] if found else "nobody"


def test_of_an_app_every_place_says_the_same(
    world: World, admin: FlaskClient, run: Run, runtime: Runtime
) -> None:
    rows, overview = soup(admin, "/zoom-apps/"), soup(admin, "/")
    items = [words(each) for each in overview.select(".attention-item")]
    figures = prometheus(runtime)

    for (name, where), app_id in world.apps.items():
        said = run("zoom-app", "show", str(app_id))["state"]
        began = iso(said["since"])

        state = one(rows, f"#zoom-app-{app_id} [data-label=State]")
        assert words(one(state, ".state-word")) == said["word"], name
        assert since(state) == began, (name, where)
        asked = soup(admin, "/explain/", id=str(app_id))
        verdict = one(asked, ".verdict")
        if name == "retired":
            assert not overview.select(f"#app-{app_id}")
            assert actor(words(verdict)) == said["who"] == "nobody"
            continue
        card = one(overview, f"#app-{app_id} .state")
        assert words(one(card, ".state-word")) == said["word"], (name, where)
        assert since(card) == began, (name, where)
        label = f'id="{app_id}",state="{said["state"]}",who="{said["who"]}"'
        assert label in figures, (name, where)
        page = soup(admin, f"/zoom-apps/{app_id}")
        banner = page.select_one("#zoom-app-validation > .banner.tone-trouble")
        assert (banner is not None) is (said["tone"] == "trouble"), (name, where)
        if banner is None:
            continue
        assert words(one(banner, ".banner-text b")) == said["sentence"], (name, where)
        assert said["reason"] in words(banner), (name, where)
        assert said["next_step"] in words(banner), (name, where)
        assert actor(words(banner)) == said["who"], (name, where)
        assert since(banner) == began, (name, where)
        told = words(verdict)
        assert actor(told) == said["who"], (name, where, told)
        assert said["next_step"] in told, (name, where, told)
        of_app = [each for each in items if said["sentence"] in each]
        of_app = [
            each
            for each in of_app
            if f"{name}, {where} (production)" in each or f"{name}, {where}." in each
        ]
        is_counted = said["state"] in ("paused", "recall_down")
        assert of_app or is_counted, (name, where, said)
        for each in of_app:
            assert actor(each) == said["who"], (name, where, each)
            assert said["next_step"] in each, (name, where, each)


def test_of_a_workspace_every_place_says_the_same(
    world: World, admin: FlaskClient, run: Run, runtime: Runtime
) -> None:
    page, overview = soup(admin, "/workspaces/"), soup(admin, "/")
    items = [words(each) for each in overview.select(".attention-item")]
    figures = prometheus(runtime)

    for where in WORKSPACES:
        app_id = world.apps["fine", where]
        row = one(page, f"#workspace-{world.workspaces[app_id]} [data-label=Status]")
        is_wrong = where == "wrong key"
        said = run("zoom-app", "show", str(app_id))["state"]

        assert (said["state"] == "key_refused") is is_wrong
        assert (actor(words(row)) == "admin") is is_wrong
        key = re.search(rf'id="{world.workspaces[app_id]}",state="(\w+)"', figures)
        assert key is not None
        assert (key[1] == "key_refused") is is_wrong
        named = [each for each in items if f"the workspace fine, {where}." in each]
        assert bool(named) is is_wrong
        for each in named:
            assert said["sentence"] in each
            assert actor(each) == said["who"] == "admin"


def test_of_a_connection_every_place_says_the_same(
    world: World, admin: FlaskClient, run: Run
) -> None:
    answer = admin.get("/connections/", query_string={"format": "json"})
    rows = {row["id"]: row for row in json.loads(answer.text)["connections"]}
    some = [each for index, each in enumerate(world.connections) if index % 7 == 0]
    assert len(rows) == len(world.connections)

    for row_id in some:
        row = rows[str(row_id)]
        who = row["who_must_act"]
        page = soup(admin, f"/connections/{row_id}")
        state = one(page, "#state")
        found = soup(admin, "/connections/", q=row["zoom_user_id"])
        listed = one(found, f"#connection-{row_id}")
        verdict = one(soup(admin, "/explain/", id=str(row_id)), ".verdict")
        answered = run("explain", str(row_id))

        word = words(one(state, ".state-word"))
        assert words(one(listed, ".state-word")) == word, row
        assert row["token_reason"] in words(state), row
        if who in ACTORS.values():
            told = (words(state), words(listed), words(verdict))
            assert {actor(text) for text in told} == {who}, (row, told)
            assert answered["who"].split()[-1] == who
            assert all(row["next_step"] in text for text in told), (row, told)
        else:
            assert actor(words(listed)) == actor(words(state)) == "nobody", row
        times = [str(each["datetime"]) for each in state.select("time")]
        if row["shown_as"] != "healthy" and row["since"]:
            assert iso(row["since"]) in times, row


def test_of_a_webhook_every_place_says_the_same(
    world: World, admin: FlaskClient, run: Run
) -> None:
    answer = admin.get("/webhooks/", query_string={"format": "json"})
    rows = {row["id"]: row for row in json.loads(answer.text)["webhooks"]}
    listed = run("webhooks", "list", "--limit", "1000")["webhooks"]
    by_command = {row["id"]: row for row in listed}
    some = [each for index, each in enumerate(world.webhooks) if index % 6 == 0]
    assert len(rows) == len(world.webhooks)

    for hook_id in some:
        row, app_id = rows[str(hook_id)], world.webhooks[hook_id]
        said = by_command[str(hook_id)]
        assert (row["state"], row["who"]) == (said["state"], said["who"])
        assert iso(row["since"]) == iso(said["since"])
        trace = one(soup(admin, f"/webhooks/{hook_id}"), "#webhook-trace")
        page = soup(admin, "/webhooks/", zoom_app=str(app_id))
        badge = words(one(trace, ".card-aside .tag"))
        in_list = one(page, f"#webhook-{hook_id} [data-label=Outcome] .tag")
        assert words(in_list) == badge, row
        assert actor(words(trace)) == said["who"], (row, words(trace))
        if said["state"] == "ok":
            continue  # Explain goes on to the meeting's host
        verdict = one(soup(admin, "/explain/", id=str(hook_id)), ".verdict")
        assert actor(words(verdict)) == said["who"], (row, words(verdict))


def test_the_figures_count_what_the_lists_show(
    world: World, admin: FlaskClient, runtime: Runtime
) -> None:
    figures = prometheus(runtime)
    answer = admin.get("/connections/", query_string={"format": "json"})
    shown = [row["shown_as"] for row in json.loads(answer.text)["connections"]]

    pattern = r'^dashboard_connections\{state="(\w+)"\} ([1-9]\d*)'
    counted = dict(re.findall(pattern, figures, re.MULTILINE))
    assert len(shown) == len(world.connections)
    assert {state: int(number) for state, number in counted.items()} == {
        state: shown.count(state) for state in set(shown)
    }
