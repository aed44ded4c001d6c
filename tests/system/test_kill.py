"""kill -9 between the 200 to Zoom and the forward: nothing is lost or altered."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import httpx2
import pytest
from sqlmodel import select

from dashboard import schema
from dashboard.db import Database
from dashboard.errors import DatabaseBusyError
from dashboard.models.webhook import Outcome, Webhook
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.recall.records import App
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.receiver.signatures import sign, signed_bytes
from dashboard.settings import new_key, parse_keys
from dashboard.vault import Vault
from tests.fixtures.ports import free_ports
from tests.fixtures.relay import BODY, RECEIVER, at_recall, recall_app, until
from tests.makers import NOON, SECRET_TOKEN, a_workspace, a_zoom_app

__all__ = ["recall_app"]


class Served:
    """`dashboard serve` as a process of its own, on one port and one folder."""

    def __init__(self, folder: Path, sandbox: RunningSandbox, key: str) -> None:
        self.url = f"http://127.0.0.1:{free_ports(1)[0]}"
        self.file = folder / "dashboard.db"
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("DASHBOARD_")},  # noqa: TID251 - a child's environment
            "DASHBOARD_INSTANCE_DIR": str(folder),
            "DASHBOARD_ENCRYPTION_KEYS": key,
            "DASHBOARD_ZOOM_URL": sandbox.zoom_url,
            "DASHBOARD_ZOOM_API_URL": sandbox.zoom_url,
            "DASHBOARD_RECALL_URL": sandbox.recall_url,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        port = self.url.rpartition(":")[2]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dashboard.cli", "serve", "--port", port],
            env=self._environment,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until(self._is_ready)

    def kill(self) -> None:
        """End it and its children as a power cut would."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
            until(self._is_over)

    def _is_over(self) -> bool:
        # Killed at once, but the children end a moment later.
        database = Database(f"sqlite:///{self.file}")
        try:
            database.lock()
        except DatabaseBusyError:
            return False
        finally:
            database.close()
        return True

    def _is_ready(self) -> bool:
        with suppress(httpx2.TransportError):
            return httpx2.get(f"{self.url}/healthz").status_code == 200
        return False


@pytest.fixture
def served(tmp_path: Path, sandbox: RunningSandbox) -> Iterator[Served]:
    sandbox.clock.set(None)
    server = Served(tmp_path, sandbox, new_key())
    yield server
    server.kill()


def set_up(server: Served, recall_app: App) -> UUID:
    """Make the tables and a zoom app that is known to Recall; return its id."""
    vault = Vault(parse_keys(server._environment["DASHBOARD_ENCRYPTION_KEYS"]))
    database = Database(f"sqlite:///{server.file}")
    schema.upgrade(database)
    with database.writing() as session:
        workspace = a_workspace(vault)
        session.add(workspace)
        session.flush()
        app = a_zoom_app(
            vault, recall_app_id=UUID(recall_app.id), workspace_id=workspace.id
        )
        app.retired_at = NOON  # the dashboard looks at nothing of it by itself
        session.add(app)
    database.close()
    return app.id


def post(server: Served, app_id: UUID) -> int:
    timestamp = str(int(time.time()))  # noqa: TID251 - of a process in real time
    signature = sign(signed_bytes(timestamp, BODY), SECRET_TOKEN).decode()
    headers = {"x-zm-request-timestamp": timestamp, "x-zm-signature": signature}
    url = f"{server.url}/hooks/zoom/{app_id}"
    return httpx2.post(url, content=BODY, headers=headers).status_code


def rows(server: Served) -> list[Webhook]:
    database = Database(f"sqlite:///{server.file}")
    with database.reading() as session:
        found = list(session.exec(select(Webhook)).all())
    database.close()
    return found


def outcomes(server: Served) -> list[Outcome]:
    return [webhook.outcome for webhook in rows(server)]


def test_a_killed_dashboard_delivers_after_its_restart_what_it_answered(
    served: Served, sandbox: RunningSandbox, recall_app: App
) -> None:
    app_id = set_up(served, recall_app)
    served.start()
    down = Fault(kind=FaultKind.DOWN, path=RECEIVER)
    sandbox.recall_faults.set([down])

    answered = post(served, app_id)
    served.kill()
    waiting, before = outcomes(served), at_recall(sandbox)
    sandbox.recall_faults.set([])
    served.start()
    until(lambda: outcomes(served) == [Outcome.DELIVERED])

    assert answered == 200
    assert (waiting, before) == ([Outcome.WAITING], [])
    assert [each.body for each in at_recall(sandbox)] == [BODY]
    assert at_recall(sandbox)[0].status == 200
    assert outcomes(served) == [Outcome.DELIVERED]


def test_a_dashboard_killed_while_it_sends_sends_again(
    served: Served, sandbox: RunningSandbox, recall_app: App
) -> None:
    app_id = set_up(served, recall_app)
    served.start()
    # Recall takes it, slowly: the answer finds nobody, and the claim is a dead one's.
    slow = Fault(kind=FaultKind.SLOW, path=RECEIVER, times=1, seconds=1)
    sandbox.recall_faults.set([slow])

    answered = post(served, app_id)
    until(lambda: [webhook.claim for webhook in rows(served)] == [1])
    served.kill()
    served.start()
    until(lambda: outcomes(served) == [Outcome.DELIVERED])
    until(lambda: len(at_recall(sandbox)) > 1)

    assert answered == 200
    assert outcomes(served) == [Outcome.DELIVERED]
    assert {each.body for each in at_recall(sandbox)} == {BODY}
