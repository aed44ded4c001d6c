"""kill -9 while alerts are being sent: nothing is lost, and the ids are equal."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr
from sqlmodel import select, update

from dashboard import schema
from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.models.alert import AlertMessage, ChannelKind, MessageOutcome
from dashboard.models.workspace import Verdict, Workspace
from dashboard.services import audit
from dashboard.services.alert_channels import channels
from dashboard.services.alert_channels.rules import Rule
from dashboard.settings import load, new_key, parse_keys
from dashboard.vault import Vault
from tests.fixtures.mailbox import Mailbox, mailbox
from tests.fixtures.ports import free_ports
from tests.makers import a_workspace

CHANNELS = 5


def until(holds: Callable[[], bool]) -> None:
    """Wait for what a process does, which takes a while on a busy machine."""
    for _ in range(2400):
        if holds():
            return
        time.sleep(0.05)


class Slow(Mailbox):
    """Takes a message, and answers only when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.holds = True

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any
    ) -> str:
        answer = await super().handle_DATA(server, session, envelope)
        while self.holds:  # noqa: ASYNC110 - another thread lets go
            await asyncio.sleep(0.05)
        return answer


class Served:
    """`dashboard serve` with a mail server, as a process of its own."""

    def __init__(self, folder: Path, box: Mailbox) -> None:
        self.key, self.folder, self.box = new_key(), folder, box
        self.url = f"http://127.0.0.1:{free_ports(1)[0]}"
        self.process: subprocess.Popen[bytes] | None = None
        self.database = f"sqlite:///{folder / 'dashboard.db'}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "dashboard.cli", "serve"),
                *("--port", self.url.rpartition(":")[2]),
            ],
            env={
                **{k: v for k, v in os.environ.items() if "DASHBOARD" not in k},  # noqa: TID251 - a child's environment
                "DASHBOARD_INSTANCE_DIR": str(self.folder),
                "DASHBOARD_ENCRYPTION_KEYS": self.key,
                "DASHBOARD_SMTP_URL": self.box.url,
                "DASHBOARD_SMTP_FROM": "dashboard@example.com",
                "DASHBOARD_RECALL_URL": "http://127.0.0.1:9",
                "DASHBOARD_ZOOM_URL": "http://127.0.0.1:9",
                "DASHBOARD_ZOOM_API_URL": "http://127.0.0.1:9",
            },
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until(self.is_up)

    def is_up(self) -> bool:
        with suppress(httpx2.TransportError):
            return httpx2.get(f"{self.url}/healthz").status_code == 200
        return False

    def kill(self) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def outcomes(self) -> list[MessageOutcome]:
        database = Database(self.database)
        try:
            with database.reading() as session:
                return [each.outcome for each in session.exec(select(AlertMessage))]
        finally:
            database.close()


@pytest.fixture
def box() -> Iterator[Slow]:
    made = Slow()
    with mailbox(made):
        yield made
        made.holds = False


@pytest.fixture
def served(tmp_path: Path, box: Slow) -> Iterator[Served]:
    server = Served(tmp_path, box)
    yield server
    server.kill()


def set_up(server: Served) -> None:
    """Make a workspace whose key Recall rejects, and channels that say so at once."""
    vault, now = Vault(parse_keys(server.key)), Clock().now()
    settings = load(
        instance=server.folder,
        smtp_url=SecretStr(server.box.url),
        smtp_from="dashboard@example.com",
    )
    database = Database(server.database)
    schema.upgrade(database)
    with database.writing() as session:
        session.add(a_workspace(vault, verdict=Verdict.WRONG))
        for number in range(CHANNELS):
            channels.add(
                session,
                vault,
                settings,
                kind=ChannelKind.EMAIL,
                name=f"Channel {number}",
                url=SecretStr(f"ops{number}@example.com"),
                rule=Rule(lasts_minutes=0),
                actor=audit.THE_DASHBOARD,
                now=now,
            )
        session.exec(
            update(Workspace).values(checked_at=now, verdict_since=now, key_due_at=None)
        )
    database.close()


def test_nothing_is_lost_and_repeats_have_the_same_id(
    served: Served, box: Slow
) -> None:
    set_up(served)
    served.start()
    until(lambda: len(box.messages) == CHANNELS)  # handed in, not answered yet
    before = {str(each["Message-ID"]) for each in box.messages}
    assert served.outcomes() == [MessageOutcome.WAITING] * CHANNELS

    served.kill()
    box.holds = False
    served.start()
    until(lambda: served.outcomes() == [MessageOutcome.SENT] * CHANNELS)

    assert {str(each["Message-ID"]) for each in box.messages} == before
    assert set(box.recipients) == {f"ops{n}@example.com" for n in range(CHANNELS)}
    assert len(box.messages) == 2 * CHANNELS
