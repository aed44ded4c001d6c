"""A hundred calls of Recall's during one refresh, at `dashboard serve` itself."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from http.client import HTTPResponse
from pathlib import Path

import pytest
from pydantic import SecretStr

from dashboard.clients.zoom.grants import GrantTokens, ZoomGrants
from dashboard.db import Database
from dashboard.models.zoom_app import TokenCustody, ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.sandbox.zoom.records import Grant
from dashboard.services import urls
from dashboard.services.grants import grants
from dashboard.settings import parse_keys
from dashboard.vault import Vault
from tests.fixtures.connect import query_of
from tests.fixtures.serve import Front, answer
from tests.fixtures.vendors import VERIFIER, challenge_of
from tests.makers import CLIENT_SECRET, a_connection

CALLS = 100
WITHIN_S = 5.0
REDIRECT = "https://dashboard.example.com/oauth/zoom/callback"


class Holding:
    """A dashboard that holds two users' grants: one about to end, one good."""

    def __init__(self, front: Front, sandbox: RunningSandbox) -> None:
        self.front = front
        self._sandbox = sandbox
        self._client_id = sandbox.zoom_world.add_app(
            name="Notetaker",
            client_secret=CLIENT_SECRET.get_secret_value(),
            redirect_url=REDIRECT,
        ).client_id
        database = Database(f"sqlite:///{front.file}")
        with database.writing() as session:
            app = session.get_one(ZoomApp, front.app_id)
            app.client_id, app.token_custody = self._client_id, TokenCustody.DASHBOARD
        self.tired, self.old_key = self._hold(database, "ana@example.com", left_s=60)
        self.fresh, self.good_key = self._hold(database, "bo@example.com", left_s=3000)
        database.close()

    def _hold(
        self, database: Database, email: str, *, left_s: int
    ) -> tuple[Grant, str]:
        world = self._sandbox.zoom_world
        user = world.add_user(email=email)
        back = world.authorize(
            user.id,
            client_id=self._client_id,
            redirect_uri=REDIRECT,
            state="a-state",
            code_challenge=challenge_of(VERIFIER),
            code_challenge_method="S256",
        )
        zoom = ZoomGrants(self._sandbox.zoom_url)
        tokens: GrantTokens = zoom.exchange(
            client_id=self._client_id,
            client_secret=CLIENT_SECRET,
            code=SecretStr(query_of(back)["code"]),
            redirect_uri=REDIRECT,
            code_verifier=VERIFIER,
        )
        zoom.close()
        now, key = datetime.now(UTC), urls.new_key()  # noqa: TID251 - of a process in real time
        with database.writing() as session:
            app = session.get_one(ZoomApp, self.front.app_id)
            row = a_connection(
                app, zoom_user_id=user.id, email=email, due_at=now + timedelta(days=1)
            )
            session.add(row)
            session.flush()
            grant = grants.add(
                session,
                Vault(parse_keys(self.front.key)),
                row.id,
                tokens,
                key=key,
                asked_at=now,
                now=now,
            )
            grant.expires_at = now + timedelta(seconds=left_s)
            grant.refresh_due_at = now + timedelta(days=1)  # no chore is faster
        living = world.state.active_grant(self._client_id, user.id)
        assert living is not None
        return living, key


@pytest.fixture
def holding(
    tmp_path: Path, migrated_sqlite: Path, sandbox: RunningSandbox
) -> Iterator[Holding]:
    front = Front(
        tmp_path,
        migrated_sqlite,
        DASHBOARD_ZOOM_URL=sandbox.zoom_url,
        DASHBOARD_ZOOM_API_URL=sandbox.zoom_url,
    ).retire()
    made = Holding(front, sandbox)
    front.start()
    yield made
    front.kill()


def test_a_hundred_calls_during_one_refresh_get_its_token_in_time(
    holding: Holding, sandbox: RunningSandbox
) -> None:
    slow = Fault(kind=FaultKind.SLOW, path="/oauth/token", seconds=2.0)
    sandbox.zoom_faults.set([slow])
    front = holding.front
    issued = len(holding.tired.access)
    with ExitStack() as lines:
        opened = [lines.enter_context(front.connect()) for _ in range(CALLS)]
        for line in opened:
            line.settimeout(WITHIN_S)
            line.sendall(front.written(f"GET /tokens/{holding.old_key} HTTP/1.1"))
        good, token = front.send(f"GET /tokens/{holding.good_key} HTTP/1.1")
        waiting = sum(is_waiting(line) for line in opened)
        answers = [answer(line) for line in opened]

    # Whose token is good waits for nobody's refresh.
    assert (good.status, token.decode() in holding.fresh.access) == (200, True)
    assert waiting
    assert {response.status for response, _ in answers} == {200}
    [given] = {body.decode() for _, body in answers}
    assert given in holding.tired.access
    assert len(holding.tired.access) == issued + 1  # one refresh at Zoom
    assert all(is_bare(response) for response, _ in answers)


def is_waiting(line: socket.socket) -> bool:
    line.setblocking(False)
    try:
        line.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    finally:
        line.settimeout(WITHIN_S)
    return False


def is_bare(response: HTTPResponse) -> bool:
    return response.headers["content-type"] == "text/plain; charset=utf-8"
