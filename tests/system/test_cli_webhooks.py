"""`dashboard webhooks list|show|prune`, as processes of their own."""

import json
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import select

from dashboard import schema
from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.models.audit import AuditEntry
from dashboard.models.ids import new_id
from dashboard.models.webhook import Arrival, Attempt, Outcome, Webhook
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.encryption.keys import open_vault
from dashboard.settings import load
from dashboard.vault import Vault
from tests.fixtures.terminal import Terminal, terminal
from tests.makers import NOON, a_body, a_webhook, a_zoom_app

__all__ = ["terminal"]

BODY = (
    b'{"event":"meeting.created","payload":{"object":{"id":91234567890,'
    b'"password":"hunter2","join_url":"https://example.zoom.us/j/9?pwd=hunter2",'
    b'"host_email":"ana@example.com","topic":"\x1b[31mWeekly"}}}'
).replace(b"\x1b", b"\\u001b")


@dataclass(kw_only=True)
class Log:
    terminal: Terminal
    database: Database
    vault: Vault
    app_id: UUID

    def add(self, body: bytes = BODY, **over: Any) -> Webhook:
        digest = sha256(body).hexdigest()
        facts = {"body_sha256": digest, "body_bytes": len(body), **over}
        owner = a_zoom_app(self.vault)
        hook = a_webhook(owner, zoom_app_id=self.app_id, **facts)
        with self.database.writing() as session:
            session.add(hook)
            session.flush()
            headers = b'[["x-zm-signature", "v0=ab"], ["cookie", "hunter2"]]'
            session.add(a_body(self.vault, hook, body=body, headers=headers))
        return hook

    def json(self, *words: str) -> Any:
        done = self.terminal.run("webhooks", *words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def ids(self, *words: str) -> list[int]:
        return [int(row["id"]) for row in self.json("list", *words)["webhooks"]]


@pytest.fixture
def log(terminal: Terminal, sandbox: RunningSandbox) -> Any:
    """An installation whose database another process holds, as `serve` does."""
    del sandbox
    settings = load(instance=terminal.folder)
    database = Database(settings.sqlalchemy_url)
    schema.upgrade(database)
    vault = open_vault(settings, database)
    owner = a_zoom_app(vault)
    with database.writing() as session:
        session.add(owner)
    yield Log(terminal=terminal, database=database, vault=vault, app_id=owner.id)
    database.close()


def test_the_log_is_read_while_the_dashboard_runs(log: Log) -> None:
    older = log.add(received_at=NOON - timedelta(minutes=1))
    newer = log.add(outcome=Outcome.DEAD, event="user.updated", meeting_id=None)
    log.database.lock()

    listed = log.terminal.run("webhooks", "list")
    shown = log.terminal.run("webhooks", "show", str(older.id))

    lines = listed.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["id", str(newer.id), str(older.id)]
    assert "user.updated" in lines[1]
    assert "dead" in lines[1]
    assert (listed.stderr, shown.stderr, shown.returncode) == ("", "", 0)
    assert "Weekly" in shown.stdout


def test_each_option_narrows_the_list(log: Log) -> None:
    plain = log.add()
    dead = log.add(outcome=Outcome.DEAD, received_at=NOON + timedelta(hours=1))
    odd = log.add(
        event="user.updated",
        meeting_id=7,
        zoom_user_id="zUsErB",
        received_at=NOON + timedelta(hours=2),
    )

    assert log.ids() == [odd.id, dead.id, plain.id]
    assert log.ids("--outcome", "dead") == [dead.id]
    assert log.ids("--event", "user.updated", "--zoom-app", str(log.app_id)) == [odd.id]
    assert log.ids("--zoom-app", str(UUID(int=1))) == []
    assert log.ids("--meeting", "7", "--user", "zUsErB") == [odd.id]
    assert log.ids("--since", "2026-11-23T13:00") == [odd.id, dead.id]
    assert log.ids("--until", "2026-11-23T14:00+01:00") == [plain.id]


def test_pages_follow_one_another(log: Log) -> None:
    ids = [log.add(received_at=NOON - timedelta(minutes=n)).id for n in range(3)]

    first = log.json("list", "--limit", "2")
    rest = log.json("list", "--limit", "2", "--before", first["older_before"])

    found = [[int(row["id"]) for row in page["webhooks"]] for page in (first, rest)]
    assert found == [ids[:2], ids[2:]]
    assert rest["older_before"] is None


def test_a_trace_tells_all_and_nothing_secret(log: Log) -> None:
    hook = log.add(arrivals=2)
    of_it: dict[str, Any] = {"webhook_id": hook.id}
    with log.database.writing() as session:
        session.add(Arrival(id=new_id(NOON), sent_at_s=1, received_at=NOON, **of_it))
        session.add(
            Attempt(
                id=new_id(NOON),
                started_at=NOON,
                latency_ms=12.5,
                status=503,
                verdict="Recall is busy; tried again.",
                worker="host:1",
                sent_sha256=hook.body_sha256,
                sent_bytes=hook.body_bytes,
                headers_passed="x-zm-signature",
                **of_it,
            )
        )

    found = log.json("show", str(hook.id))
    plain = log.terminal.run("webhooks", "show", str(hook.id)).stdout

    (attempt,) = found["attempts"]
    assert (attempt["status"], attempt["latency_ms"]) == (503, 12.5)
    assert (attempt["worker"], attempt["is_identical"]) == ("host:1", True)
    assert found["webhook"]["id"] == str(hook.id)
    assert len(found["repeats"]) == 1
    assert found["proof"]["is_unaltered"] is True
    assert found["proof"]["received_sha256"] == hook.body_sha256
    assert "current" in found["arrival"]["verdict"]
    assert found["body"]["payload"]["object"]["id"] == 91234567890
    for text in (json.dumps(found), plain):
        assert "hunter2" not in text
        assert "ana@example.com" not in text
    assert "\x1b" not in plain
    assert "Recall is busy" in plain


def test_bytes_that_are_not_those_received_are_said_to_be(log: Log) -> None:
    hook = log.add(body=b"not json", body_sha256="0" * 64)

    found = log.json("show", str(hook.id))

    assert found["proof"]["is_unaltered"] is False
    assert found["body"] is None


def test_pruning_counts_first_and_deletes_then(log: Log) -> None:
    now = Clock().now()
    for days in (40, 40, 10, 1):
        at = now - timedelta(days=days)
        log.add(outcome=Outcome.DELIVERED, received_at=at)
    old = now - timedelta(days=40)
    log.add(outcome=Outcome.WAITING, received_at=old)

    counted = log.json("prune", "--dry-run")
    shorter = log.json("prune", "--dry-run", "--older-than", "8")
    log.database.close()  # it writes: the dashboard has to be stopped
    done = log.json("prune")
    again = log.terminal.run("webhooks", "prune")

    assert counted == {
        "days": 30,
        "is_dry_run": True,
        "webhooks": 2,
        "given_up": 1,
    }
    assert shorter["webhooks"] == 3
    assert (done["webhooks"], done["given_up"]) == (2, 1)
    assert "0 were deleted" in again.stdout
    with log.database.reading() as session:
        acts = session.exec(select(AuditEntry.act, AuditEntry.subject)).all()
        left = session.exec(select(Webhook.id)).all()
    assert ("webhook.pruned", "2 older than 30 d") in acts
    assert len(left) == 3


def test_a_slip_of_the_hand_is_one_sentence(log: Log) -> None:
    for words in (
        ("list", "--since", "yesterday"),
        ("list", "--outcome", "lost"),
        ("list", "--limit", "0"),
        ("show", "1"),
        ("show", "9" * 30),
        ("prune", "--older-than", "0"),
    ):
        refused = log.terminal.run("webhooks", *words, "--json")

        assert refused.returncode != 0, words
        assert refused.stderr.startswith("dashboard: "), words
        assert refused.stderr.strip().count("\n") == 0, words
        assert refused.stdout == "", words
