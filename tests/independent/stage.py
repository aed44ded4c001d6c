"""The dashboard between a `World`'s Zoom and Recall, in time that a test moves."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import httpx2
from flask import Flask
from sqlmodel import select

from dashboard.app import build_runtime, chores, create_app, web_chores
from dashboard.db import Database
from dashboard.models.staff import Role, StaffSession
from dashboard.services import audit
from dashboard.services.heartbeats import heartbeats
from dashboard.services.probes.watcher import ProbeScheduler
from dashboard.services.runtime import Runtime
from dashboard.services.staff import accounts
from dashboard.services.sweep.sweep import Sweep
from dashboard.settings import load
from dashboard.web.live import watcher
from dashboard.worker import Worker
from tests.conftest import PASSWORD
from tests.independent.browser import Browser
from tests.independent.site import serve
from tests.independent.world import World
from tests.makers import FakeClock

ADMIN, SUPPORT = "admin@example.com", "support@example.com"
_PATIENCE_S = 60.0


class HostClock(FakeClock):
    """The clock of a host, which somebody may set."""

    def __init__(self) -> None:
        super().__init__()
        self.set_by = timedelta(0)

    def drift_s(self) -> float:
        """Return by how much it was set, as the host's own counter shows."""
        return self.set_by.total_seconds()


_ROUNDS = 8
MakeWorld = Callable[[FakeClock], World]


@dataclass(kw_only=True)
class Stage:
    """Everything, running; nothing happens until `run_due` or `pass_time`.

    Attributes:
        clock: The dashboard's.
        true: The one of Zoom and Recall, which is never wrong.
        url: Of the dashboard; no trailing slash.
        has_worker: While False no worker runs.
    """

    clock: HostClock
    true: FakeClock
    world: World
    runtime: Runtime
    app: Flask
    url: str
    has_worker: bool = True

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin with a worker that remembers nothing."""
        self.close()
        self._worker = Worker(self.runtime)
        self._chores = [_quick(each) for each in chores(self.runtime)]
        self._web_chores = web_chores(self.runtime)

    def close(self) -> None:
        for each in getattr(self, "_chores", ()):
            if isinstance(each, Sweep | ProbeScheduler):
                each.close()

    def run_due(self) -> None:
        """Do all that is due now: Zoom, Recall, the worker and its chores."""
        for _ in range(_ROUNDS):
            self.world.run_due()
            if not self.has_worker:
                for chore in self._web_chores:
                    chore()
                return
            self._beat()
            done = self._worker.run_once(self.clock.now())
            done += sum(chore() for chore in self._chores)
            if not done:
                return

    def finish_checks(self) -> None:
        """Wait for the health checks that questions in Explain started."""
        checks = self.app.extensions["dashboard.checks"]
        checks._threads.wait(_PATIENCE_S)

    def _beat(self) -> None:
        now = self.clock.now()
        with self.runtime.database.writing() as session:
            heartbeats.beat(
                session, self._worker.name, started_at=now, version="test", now=now
            )

    def pass_time(self, amount: timedelta, *, step: timedelta) -> None:
        """Let time pass in steps, and do what is due after each."""
        until = self.clock.now() + amount
        while self.clock.now() < until:
            self.jump(min(step, until - self.clock.now()))
            self.run_due()

    def jump(self, amount: timedelta) -> None:
        """Move every clock; who is signed in stays so."""
        self.true.set(self.true.now() + amount)
        self._move(amount)

    def set_wrong(self, amount: timedelta) -> None:
        """Set the dashboard's clock alone, which its host can notice."""
        self.clock.set_by += amount
        self._move(amount)

    def _move(self, amount: timedelta) -> None:
        self.clock.set(self.clock.now() + amount)
        instant = self.clock.now()
        with self.runtime.database.writing() as session:
            for row in session.exec(select(StaffSession)):
                row.created_at = row.last_used_at = row.proven_at = instant
                session.add(row)

    def sign_in(self, email: str = ADMIN) -> Browser:
        browser = Browser(self.url)
        page = browser.submit(
            browser.get("/sign-in"),
            "/sign-in",
            email=email,
            password=PASSWORD.get_secret_value(),
        )
        assert page.path == "/", page.text
        return browser


def _quick(chore: Callable[[], int]) -> Callable[[], int]:
    """Wait for what a chore started, and not between two reads of one thing."""
    match chore:
        case Sweep():
            chore._patience_s = _PATIENCE_S
        case ProbeScheduler():
            chore._patience_s = _PATIENCE_S
            chore._pause = lambda _: None
    return chore


class _Front:
    """Has an address before there is an app, which must know it."""

    app: Flask

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        return self.app(environ, start_response)


@contextmanager
def a_stage(database: Database, folder: Path, make_world: MakeWorld) -> Iterator[Stage]:
    """Run a dashboard with two accounts and nothing else."""
    clock, true = HostClock(), FakeClock()
    world = make_world(true)
    settings = load(
        instance=folder,
        database_url=database.url.render_as_string(hide_password=False),
        zoom_url=world.zoom_url,
        zoom_api_url=world.zoom_url,
        recall_url=world.recall_url,
    )
    own_clock: Any = clock
    runtime = build_runtime(
        settings, listens_on="http://127.0.0.1", clock=own_clock, database=database
    )
    for email, role in ((ADMIN, Role.ADMIN), (SUPPORT, Role.SUPPORT)):
        accounts.add(
            database,
            email=email,
            role=role,
            password=PASSWORD,
            now=clock.now(),
            actor=audit.COMMAND_LINE,
        )
    front = _Front()
    serving = serve(front)
    running = replace(runtime, public_url=serving.url)
    front.app = create_app(running)
    stage = Stage(
        clock=clock,
        true=true,
        world=world,
        runtime=running,
        app=front.app,
        url=serving.url,
    )
    try:
        yield stage
    finally:
        stage.close()
        serving.close()
        watcher.watcher_of(front.app).close()
        runtime.close()
        world.close()


def is_recorded(world: World, client_id: str, user_id: str, meeting_id: int) -> bool:
    """Whether a bot that Recall sends records without asking the host.

    Recall looks the meeting up, takes the token of that credential, and fetches a join
    token with it (docs/contracts/recall.md 2 and 3.5, zoom.md 4.2).
    """
    if world.mapped_to(meeting_id) != user_id:
        return False
    key = {"authorization": f"Token {world.api_key}"}
    base = f"{world.recall_url}/api/v2"
    with httpx2.Client(timeout=_PATIENCE_S) as http:
        apps = http.get(f"{base}/zoom-oauth-apps/?client_id={client_id}", headers=key)
        app_id = apps.json()["results"][0]["id"]
        query = f"oauth_app={app_id}&user_id={user_id}"
        found = http.get(f"{base}/zoom-oauth-credentials/?{query}", headers=key)
        own = found.json()["results"][0]["id"]
        token = http.get(
            f"{base}/zoom-oauth-credentials/{own}/access-token/", headers=key
        )
        if token.status_code != 200:
            return False
        bearer = {"authorization": f"Bearer {token.json()['token']}"}
        path = f"/v2/meetings/{meeting_id}/jointoken/local_recording"
        return http.get(f"{world.zoom_url}{path}", headers=bearer).status_code == 200
