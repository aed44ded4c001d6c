"""Zoom's door with everything behind it, for the tests of the receiver."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from pydantic import SecretStr
from sqlmodel import select
from werkzeug.test import Client, TestResponse

from dashboard.db import Database
from dashboard.services.receiver import signatures
from dashboard.services.receiver.writer import Intake
from dashboard.settings import Settings
from dashboard.vault import Vault
from dashboard.web.hooks.wsgi import Receiver
from tests.makers import SECRET_TOKEN, FakeClock, saved_app


@dataclass(kw_only=True)
class Door:
    """The receiver in front of a page that says so, and what it works with."""

    client: Client
    database: Database
    vault: Vault
    clock: FakeClock
    intake: Intake
    app_id: UUID

    @property
    def path(self) -> str:
        return f"/hooks/zoom/{self.app_id}"

    def add_app(self, secret: SecretStr = SECRET_TOKEN) -> UUID:
        with self.database.writing() as session:
            self.app_id = saved_app(session, self.vault, secret_token=secret)
        return self.app_id

    def post(self, body: bytes, **over: Any) -> TestResponse:
        """Post `body` as Zoom would, signed now, but for what is said otherwise."""
        timestamp = over.pop("timestamp", str(int(self.clock.now().timestamp())))
        message = signatures.signed_bytes(timestamp, body)
        headers = {
            "content-type": "application/json; charset=utf-8",
            "user-agent": "Zoom Marketplace/1.0a",
            "x-zm-request-timestamp": timestamp,
            "x-zm-signature": signatures.sign(message, SECRET_TOKEN).decode(),
        }
        headers |= over.pop("headers", {})
        present = {key: value for key, value in headers.items() if value is not None}
        path = over.pop("path", self.path)
        return self.client.post(path, data=body, headers=present, **over)

    def call(self, body: bytes | io.BytesIO, **environ: Any) -> str:
        """Call the receiver with this environment and no more; return the status."""
        statuses: list[str] = []

        def start_response(status: str, *_: object) -> Any:
            statuses.append(status)

        made = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": self.path,
            "wsgi.input": io.BytesIO(body) if isinstance(body, bytes) else body,
        }
        receiver: Any = self.client.application
        receiver(made | environ, start_response)
        return statuses[0][:3]

    def signed(self, body: bytes) -> dict[str, str]:
        """Return the two headers of an environment, made for `body` now."""
        timestamp = str(int(self.clock.now().timestamp()))
        message = signatures.signed_bytes(timestamp, body)
        return {
            "HTTP_X_ZM_REQUEST_TIMESTAMP": timestamp,
            "HTTP_X_ZM_SIGNATURE": signatures.sign(message, SECRET_TOKEN).decode(),
        }

    def stored(self, model: type[Any]) -> list[Any]:
        self.intake.flush()
        with self.database.reading() as session:
            return list(session.exec(select(model)).all())


@pytest.fixture
def door(
    database: Database, vault: Vault, clock: FakeClock, tmp_path: Path
) -> Iterator[Door]:
    clock_: Any = clock
    intake = Intake(database, vault, clock_, Settings(instance=tmp_path))
    with database.writing() as session:
        app_id = saved_app(session, vault)

    @dataclass
    class Needs:
        clock: Any
        intake: Intake

    yield Door(
        client=Client(Receiver(_page, Needs(clock, intake))),
        database=database,
        vault=vault,
        clock=clock,
        intake=intake,
        app_id=app_id,
    )
    intake.close()


def _page(_environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"a page"]


def event(number: int = 1) -> bytes:
    return b'{"event":"meeting.created","event_ts":%d}' % number
