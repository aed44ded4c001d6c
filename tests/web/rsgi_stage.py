"""A small RSGI server's side of Zoom's door: scope and protocol, without sockets."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlmodel import select

from dashboard.db import Database
from dashboard.services.receiver import signatures
from dashboard.services.receiver.writer import Intake
from dashboard.settings import Settings
from dashboard.vault import Vault
from dashboard.web.hooks.rsgi import Door
from tests.makers import SECRET_TOKEN, FakeClock, saved_app

NEVER = b"never"
"""A part of a body that does not come."""


class Headers:
    """As RSGI has them: names lower case, one that came twice there twice."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def items(self) -> list[tuple[str, str]]:
        return list(self._pairs)

    def get(self, key: str, default: Any = None) -> Any:
        return next((value for name, value in self._pairs if name == key), default)


@dataclass(kw_only=True)
class Scope:
    path: str
    method: str = "POST"
    client: str = "203.0.113.7:4711"
    headers: Headers = field(default_factory=lambda: Headers([]))
    query_string: str = ""
    server: str = "127.0.0.1:8000"
    scheme: str = "http"
    http_version: str = "1.1"
    authority: str | None = None


class Protocol:
    """A request's body and its answer; counts what was read and answered."""

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts
        self.parts_read = 0
        self.answers: list[tuple[int, dict[str, str], bytes]] = []

    async def __call__(self) -> bytes:
        return b"".join([part async for part in self])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            if part is NEVER:
                await asyncio.Event().wait()
            self.parts_read += 1
            yield part

    def response_empty(self, status: int, headers: list[tuple[str, str]]) -> None:
        self.answers.append((status, dict(headers), b""))

    def response_str(
        self, status: int, headers: list[tuple[str, str]], body: str
    ) -> None:
        self.answers.append((status, dict(headers), body.encode()))

    def response_bytes(
        self, status: int, headers: list[tuple[str, str]], body: bytes
    ) -> None:
        self.answers.append((status, dict(headers), body))

    @property
    def status(self) -> int:
        assert len(self.answers) == 1
        return self.answers[0][0]


class Gated:
    """The database, with doors before reading and writing that a test can shut."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.writer = database.writer
        self.may_read, self.may_write = threading.Event(), threading.Event()
        self.open()
        self.error: Exception | None = None
        self.writings = 0
        self.held = threading.Event()

    def reading(self) -> Any:
        self.may_read.wait()
        return self._database.reading()

    def writing(self) -> Any:
        self._pass()
        return self._database.writing()

    def writing_fast(self) -> Any:
        self._pass()
        return self._database.writing_fast()

    def open(self) -> None:
        self.may_read.set()
        self.may_write.set()

    def _pass(self) -> None:
        self.held.set()
        self.may_write.wait()
        self.writings += 1
        if self.error is not None:
            raise self.error


@dataclass(kw_only=True)
class Loop:
    """Zoom's door in an event loop, and what it works with."""

    door: Door
    database: Database
    gated: Gated
    vault: Vault
    clock: FakeClock
    intake: Intake
    app_id: UUID

    def made_anew(self, **over: Any) -> Door:
        """Make another door to the same intake."""
        self.door.close()
        self.door = Door(Needs(self.clock, self.intake), **over)
        return self.door

    def request(
        self, body: bytes = b"", secret: SecretStr = SECRET_TOKEN, **over: Any
    ) -> tuple[Scope, Protocol]:
        """Make what a server hands over, signed now but for what is said otherwise.

        Args:
            over: `headers` (None leaves one out), `parts` of the body, and Scope's.
        """
        timestamp = str(int(self.clock.now().timestamp()))
        message = signatures.signed_bytes(timestamp, body)
        headers = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            "user-agent": "Zoom Marketplace/1.0a",
            "x-zm-request-timestamp": timestamp,
            "x-zm-signature": signatures.sign(message, secret).decode(),
        }
        headers |= over.pop("headers", {})
        pairs = [(name, value) for name, value in headers.items() if value is not None]
        pairs += over.pop("more", [])
        http = Protocol(over.pop("parts", [body] if body else []))
        path = over.pop("path", f"/hooks/zoom/{self.app_id}")
        return Scope(path=path, headers=Headers(pairs), **over), http

    async def send(self, body: bytes = b"", **over: Any) -> Protocol:
        """Hand a request over and wait for its answer."""
        made: Any = self.request(body, **over)
        await self.door(*made)
        return made[1]  # type: ignore[no-any-return]  # it is the protocol

    def post(self, body: bytes = b"", **over: Any) -> Protocol:
        """As `send`, in a loop of its own."""
        return asyncio.run(self.send(body, **over))

    def stored(self, model: type[Any]) -> list[Any]:
        self.intake.flush()
        with self.database.reading() as session:
            return list(session.exec(select(model)).all())


@dataclass
class Needs:
    clock: Any
    intake: Intake


@pytest.fixture
def loop(
    database: Database, vault: Vault, clock: FakeClock, tmp_path: Path
) -> Iterator[Loop]:
    clock_: Any = clock
    gated: Any = Gated(database)
    intake = Intake(gated, vault, clock_, Settings(instance=tmp_path))
    with database.writing() as session:
        app_id = saved_app(session, vault)
    door = Door(Needs(clock, intake))
    made = Loop(
        door=door,
        database=database,
        gated=gated,
        vault=vault,
        clock=clock,
        intake=intake,
        app_id=app_id,
    )
    yield made
    gated.open()  # a test that failed may have left it shut
    intake.close()
    made.door.close()
