"""How long it takes from a fault to the mail, for each kind, and to the resolution.

`python -m benchmarks.alerts`; a real `serve`, a real mail server. A fault is written as
the evidence that the dashboard itself stores of it, so what is measured begins when it
is seen; docs/validation.md, docs/probes.md and docs/relay.md say how soon that is.
"""

import argparse
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope
from pydantic import SecretStr

from dashboard import schema
from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.models.alert import ChannelKind
from dashboard.models.workspace import Verdict, Workspace
from dashboard.models.zoom_app import Environment, Kind, ZoomApp
from dashboard.services import audit
from dashboard.services.alert_channels import channels
from dashboard.services.alert_channels.rules import Rule
from dashboard.settings import load, new_key, parse_keys
from dashboard.vault import Vault, fingerprint

_NOWHERE = "http://127.0.0.1:9"
_PATIENCE_S = 900.0


class _Inbox:
    """Keeps the subject and time of each mail; refuses one address for a while."""

    def __init__(self) -> None:
        self.mails: list[tuple[float, str]] = []
        self.refuses = False

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        _server: object,
        _session: object,
        envelope: Envelope,
        address: str,
        _options: object,
    ) -> str:
        if self.refuses and address.startswith("broken"):
            return "450 4.2.0 try later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: object, _session: object, envelope: Envelope
    ) -> str:
        content = envelope.content
        if "ops@example.com" in envelope.rcpt_tos and isinstance(content, bytes):
            parsed = message_from_bytes(content, policy=policy.default)
            self.mails.append((time.monotonic(), str(parsed["Subject"])))
        return "250 OK"

    def when(self, words: str, *, is_over: bool) -> float | None:
        for at, subject in self.mails:
            if words in subject and subject.startswith("Resolved: ") is is_over:
                return at
        return None


_FAULTS: dict[str, tuple[str, str, str]] = {
    "credentials: Zoom rejects the pair": (
        "Zoom rejects the client ID",
        "UPDATE zoom_app SET verdict = 'wrong', checked_at = :now",
        "UPDATE zoom_app SET verdict = 'right', checked_at = :now",
    ),
    "credentials: Recall rejects the key": (
        "Recall rejects the API key",
        "UPDATE workspace SET verdict = 'wrong', checked_at = :now",
        "UPDATE workspace SET verdict = 'right', checked_at = :now",
    ),
    "channel: another one stopped": ("Alerts don't arrive through the channel", "", ""),
}
"""By kind: words of the subject, what makes the fault and what ends it."""


def main() -> None:
    """Measure, print, clean up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lasts", type=int, default=1, help="minutes, the channel's")
    options = parser.parse_args()
    inbox = _Inbox()
    with tempfile.TemporaryDirectory() as name, closing(_socket()) as taken:
        port = taken.getsockname()[1]
        taken.close()
        server = Controller(inbox, hostname="127.0.0.1", port=port)
        server.start()
        try:
            _measure(Path(name), inbox, port, lasts=options.lasts)
        finally:
            server.stop()


def _measure(folder: Path, inbox: _Inbox, mail_port: int, *, lasts: int) -> None:
    key, smtp = new_key(), f"smtp://127.0.0.1:{mail_port}"
    _set_up(folder, key, smtp, lasts=lasts)
    with closing(_socket()) as taken:
        port = taken.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "dashboard.cli", "serve", "--port", str(port)],
        env={
            **{k: v for k, v in os.environ.items() if "DASHBOARD" not in k},  # noqa: TID251 - a child's environment
            "DASHBOARD_INSTANCE_DIR": str(folder),
            "DASHBOARD_ENCRYPTION_KEYS": key,
            "DASHBOARD_SMTP_URL": smtp,
            "DASHBOARD_SMTP_FROM": "dashboard@example.com",
            "DASHBOARD_RECALL_URL": _NOWHERE,
            "DASHBOARD_ZOOM_URL": _NOWHERE,
            "DASHBOARD_ZOOM_API_URL": _NOWHERE,
        },
        stderr=subprocess.DEVNULL,
    )
    try:
        _until(lambda: _is_up(port))
        inbox.mails.clear()
        began = _switch(folder, inbox, is_broken=True)
        words = {kind: fault[0] for kind, fault in _FAULTS.items()}
        _until(lambda: all(inbox.when(w, is_over=False) for w in words.values()))
        ended = _switch(folder, inbox, is_broken=False)
        _until(lambda: all(inbox.when(w, is_over=True) for w in words.values()))
    finally:
        process.terminate()
        process.wait()
    print("| kind | fault to mail | fix to resolution |")
    print("| --- | --- | --- |")
    for kind, subject in words.items():
        opened = inbox.when(subject, is_over=False)
        over = inbox.when(subject, is_over=True)
        first = "never" if opened is None else f"{opened - began:.0f} s"
        last = "never" if over is None else f"{over - ended:.0f} s"
        print(f"| {kind} | {first} | {last} |")


def _switch(folder: Path, inbox: _Inbox, *, is_broken: bool) -> float:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")  # noqa: TID251 - as a driver writes it
    inbox.refuses = is_broken
    with closing(sqlite3.connect(folder / "dashboard.db", timeout=60)) as database:
        for _, breaks, fixes in _FAULTS.values():
            if statement := breaks if is_broken else fixes:
                database.execute(statement, {"now": now})
        database.commit()
    return time.monotonic()


def _set_up(folder: Path, key: str, smtp: str, *, lasts: int) -> None:
    vault, now = Vault(parse_keys(key)), Clock().now()
    settings = load(
        instance=folder, smtp_url=SecretStr(smtp), smtp_from="dashboard@example.com"
    )
    database = Database(f"sqlite:///{folder / 'dashboard.db'}")
    schema.upgrade(database)
    workspace_id, app_id = uuid4(), uuid4()
    secret = SecretStr("a-benchmark-secret")

    def sealed(table: str, column: str, row: object) -> bytes:
        return vault.seal_text(secret, table=table, column=column, row=row)

    with database.writing() as session:
        for name in ("ops", "broken"):
            channels.add(
                session,
                vault,
                settings,
                kind=ChannelKind.EMAIL,
                name=name,
                url=SecretStr(f"{name}@example.com"),
                rule=Rule(lasts_minutes=lasts),
                actor=audit.THE_DASHBOARD,
                now=now,
            )
        session.add(
            Workspace(
                id=workspace_id,
                name="Benchmark",
                region="us-west-2",
                api_key=sealed("workspace", "api_key", workspace_id),
                api_key_print=fingerprint(secret),
                api_key_length=len(secret),
                api_key_set_at=now,
                verdict=Verdict.RIGHT,
                checked_at=now,
                created_at=now,
            )
        )
        session.flush()
        session.add(
            ZoomApp(
                id=app_id,
                name="Benchmark",
                slug="benchmark",
                environment=Environment.DEVELOPMENT,
                kind=Kind.USER_LEVEL,
                client_id="client",
                client_secret=sealed("zoom_app", "client_secret", app_id),
                client_secret_print=fingerprint(secret),
                client_secret_length=len(secret),
                client_secret_set_at=now,
                secret_token=sealed("zoom_app", "secret_token", app_id),
                secret_token_print=fingerprint(secret),
                secret_token_length=len(secret),
                secret_token_set_at=now,
                workspace_id=workspace_id,
                verdict=Verdict.RIGHT,
                checked_at=now,
                created_at=now,
            )
        )
    database.close()


def _socket() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def _is_up(port: int) -> bool:
    with suppress(httpx2.TransportError):
        return httpx2.get(f"http://127.0.0.1:{port}/healthz").is_success
    return False


def _until(holds: Callable[[], Any]) -> None:
    ends = time.monotonic() + _PATIENCE_S
    while not holds() and time.monotonic() < ends:
        time.sleep(0.2)


if __name__ == "__main__":
    main()
