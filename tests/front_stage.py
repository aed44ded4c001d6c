"""`dashboard serve` as a process, spoken to byte for byte."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPResponse
from pathlib import Path
from uuid import UUID

import httpx2
from pydantic import SecretStr
from sqlmodel import select

from dashboard.db import Database
from dashboard.models.staff import Role
from dashboard.models.webhook import Webhook
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.receiver.signatures import sign, signed_bytes
from dashboard.services.staff import accounts
from dashboard.settings import new_key, parse_keys
from dashboard.vault import Vault
from tests.makers import NOON, SECRET_TOKEN, saved_app
from tests.ports import free_ports
from tests.relay_stage import until

EMAIL = "admin@example.com"
PASSWORD = "correct horse battery"
LONG_S = 60


class Front:
    """A dashboard of its own, with an admin and a zoom app; not running yet.

    Attributes:
        app_id: The zoom app's.
    """

    def __init__(self, folder: Path, migrated: Path, **settings: str) -> None:
        self.key = key = new_key()
        self.file = folder / "dashboard.db"
        self.file.write_bytes(migrated.read_bytes())
        database = Database(f"sqlite:///{self.file}")
        with database.writing() as session:
            self.app_id: UUID = saved_app(session, Vault(parse_keys(key)))
            accounts.add(
                session,
                email=EMAIL,
                role=Role.ADMIN,
                password=SecretStr(PASSWORD),
                now=NOON,
            )
        database.close()
        self.port = free_ports(1)[0]
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        nowhere = f"http://127.0.0.1:{free_ports(1)[0]}"
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("DASHBOARD_")},  # noqa: TID251 - a child's environment
            "DASHBOARD_INSTANCE_DIR": str(folder),
            "DASHBOARD_ENCRYPTION_KEYS": key,
            "DASHBOARD_ZOOM_URL": nowhere,
            "DASHBOARD_ZOOM_API_URL": nowhere,
            "DASHBOARD_RECALL_URL": nowhere,
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def retire(self) -> "Front":
        """Retire the zoom app: the dashboard looks at nothing of it by itself."""
        database = Database(f"sqlite:///{self.file}")
        with database.writing() as session:
            session.get_one(ZoomApp, self.app_id).retired_at = NOON
        database.close()
        return self

    def start(self) -> "Front":
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dashboard.cli", "serve", "--port", str(self.port)],
            env=self._environment,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        until(self._is_ready)
        return self

    def stop(self) -> None:
        """Ask it to end, without waiting."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def ends_by_itself(self, within_s: float) -> bool:
        """Tell whether it ends before it would be killed."""
        assert self._process is not None
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(within_s)
            return True
        return False

    def kill(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), LONG_S)

    def send(
        self, head: str, *lines: str | bytes, body: bytes = b"", host: bool = True
    ) -> tuple[HTTPResponse, bytes]:
        """Send a request as written, on a connection of its own; read the answer."""
        with self.connect() as line:
            line.sendall(self.written(head, *lines, body=body, host=host))
            return answer(line, head.partition(" ")[0])

    def written(
        self, head: str, *lines: str | bytes, body: bytes = b"", host: bool = True
    ) -> bytes:
        """Return a request's bytes; `head` is UTF-8, and so are lines of text."""
        first: list[str | bytes] = [head]
        if host:
            first.append(f"Host: {self.host}")
        encoded = [
            each.encode() if isinstance(each, str) else each
            for each in (*first, *lines)
        ]
        return b"\r\n".join([*encoded, b"", body])

    def webhook(self, body: bytes, app_id: UUID | None = None) -> tuple[str, list[str]]:
        """Return the head and the headers of a webhook that is signed now."""
        timestamp = str(int(time.time()))  # noqa: TID251 - of a process in real time
        signature = sign(signed_bytes(timestamp, body), SECRET_TOKEN).decode()
        return f"POST /hooks/zoom/{app_id or self.app_id} HTTP/1.1", [
            f"Content-Length: {len(body)}",
            f"X-Zm-Request-Timestamp: {timestamp}",
            f"X-Zm-Signature: {signature}",
        ]

    def post_webhook(self, body: bytes) -> int:
        head, lines = self.webhook(body)
        return self.send(head, *lines, body=body)[0].status

    def cookie(self) -> str:
        """Sign in; return the line that says so."""
        with httpx2.Client(base_url=self.url, timeout=LONG_S) as browser:
            form = {**self.form(browser), "email": EMAIL, "password": PASSWORD}
            found = browser.post("/sign-in", data=form, headers=self.origin)
            assert found.status_code == 303, found.text
            return "Cookie: " + cookies(browser)

    def form(self, browser: httpx2.Client) -> dict[str, str]:
        """Return the hidden field of the sign-in form."""
        page = browser.get("/sign-in").text
        [token] = re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        return {"csrf_token": token}

    @property
    def origin(self) -> Mapping[str, str]:
        return {"origin": self.url, "referer": f"{self.url}/sign-in"}

    def stored(self) -> set[int | None]:
        """Return `event_ts` of each webhook on disk."""
        database = Database(f"sqlite:///{self.file}")
        with database.reading() as session:
            found = set(session.exec(select(Webhook.event_ts)).all())
        database.close()
        return found

    def _is_ready(self) -> bool:
        with suppress(httpx2.TransportError):
            return httpx2.get(f"{self.url}/healthz").status_code == 200
        return False


def answer(line: socket.socket, method: str = "GET") -> tuple[HTTPResponse, bytes]:
    """Read one answer, whole."""
    response = HTTPResponse(line, method=method)
    response.begin()
    return response, response.read()


def cookies(browser: httpx2.Client) -> str:
    return "; ".join(f"{key}={value}" for key, value in browser.cookies.items())
