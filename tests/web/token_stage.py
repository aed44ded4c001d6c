"""Recall's door for tokens with everything behind it, over WSGI and in a loop."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from pydantic import SecretStr
from werkzeug.test import Client, TestResponse

from dashboard.models.workspace import Workspace
from dashboard.sandbox.recall import signing
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.grants.token_calls import TokenCalls
from dashboard.services.recall import callback_secrets
from dashboard.services.recall.callback_secrets import Signing
from dashboard.services.runtime import Services
from dashboard.web.token_endpoint import TokenDoor, TokenReceiver
from tests.held_stage import HeldStage, a_held_stage
from tests.makers import API_KEY
from tests.web.rsgi_stage import Headers, Protocol, Scope

UNKNOWN = "a" * 43


@dataclass(kw_only=True)
class TokenStage:
    """A held grant, and who asks for it with its key: at each of the two doors."""

    held: HeldStage
    calls: TokenCalls
    client: Client
    in_loop: Client
    door: TokenDoor

    @property
    def services(self) -> Services:
        return self.held.services

    def get(
        self, tail: str = "", *, key: str | None = None, **over: Any
    ) -> TestResponse:
        return self.client.get(f"/tokens/{key or self.held.key}{tail}", **over)

    def grow_old(self, left_s: int = 60) -> None:
        """Let the token have so many seconds left."""
        soon = self.services.clock.now() + timedelta(seconds=left_s)
        self.held.set(expires_at=soon)

    def recall_signs(self, *, is_required: bool = False) -> None:
        """Let Recall make a verification secret, and enter it here."""
        world = self.held.stage.sandbox.recall_world
        secret = world.renew_verification_secret(API_KEY.get_secret_value())
        self.require(secret=SecretStr(secret), is_required=is_required)

    def signed(self) -> dict[str, str]:
        """Return the headers that the simulated Recall would send now."""
        world = self.held.stage.sandbox.recall_world
        workspace = world.workspaces[API_KEY.get_secret_value()]
        return signing.headers(workspace, b"", now=self.services.clock.now())

    def require(self, *, secret: SecretStr | None, is_required: bool) -> None:
        with self.services.database.writing() as session:
            workspace = session.get_one(Workspace, self.held.stage.app.workspace_id)
            if secret is None:
                workspace.requires_signature = is_required
            else:
                callback_secrets.put(
                    self.services.vault,
                    workspace,
                    Signing(secret=secret, is_required=is_required),
                    now=self.services.clock.now(),
                )
            session.add(workspace)

    def ask_loop(self, *headers: tuple[str, str]) -> int:
        """Ask at the door in the loop with these lines; return the status."""
        path = f"/tokens/{self.held.key}"
        scope: Any = Scope(path=path, method="GET", headers=Headers(list(headers)))
        http: Any = Protocol([])
        asyncio.run(self.door(scope, http))
        status: int = http.status
        return status

    def settle(self) -> None:
        """Wait until what is noted beside the answers is noted."""
        self.calls.close()


class OverLoop:
    """A WSGI app that asks the door in the loop, so that one client serves both."""

    def __init__(self, door: TokenDoor) -> None:
        self._door = door

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        pairs = [
            (name[5:].replace("_", "-").lower(), value)
            for name, value in environ.items()
            if name.startswith("HTTP_")
        ]
        scope: Any = Scope(
            path=environ["PATH_INFO"],
            method=environ["REQUEST_METHOD"],
            client=f"{environ.get('REMOTE_ADDR', '')}:4711",
            headers=Headers(pairs),
            query_string=environ.get("QUERY_STRING", ""),
        )
        http: Any = Protocol([])
        asyncio.run(self._door(scope, http))
        status, headers, body = http.answers[0]
        start_response(f"{status} -", list(headers.items()))
        return [body]


@pytest.fixture
def stage(services: Services, sandbox: RunningSandbox) -> Iterator[TokenStage]:
    held = a_held_stage(services, sandbox)
    calls = TokenCalls(held.services)
    door = TokenDoor(calls)
    yield TokenStage(
        held=held,
        calls=calls,
        client=Client(TokenReceiver(_page, calls)),
        in_loop=Client(OverLoop(door)),
        door=door,
    )
    door.close()


def _page(_environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"a page"]
