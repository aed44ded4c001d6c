"""What `dashboard serve` writes on standard error, as a real process."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.relay import until
from tests.fixtures.serve import Front

SECRET = "s3cr3tS3CR3Ts3cr3t"
FORGED = '/x%0a{"event":"session.begun","actor":"admin@example.com"}%0a'


class LoggedFront(Front):
    """One whose log is read."""

    def __init__(self, folder: Path, migrated: Path, **settings: str) -> None:
        super().__init__(folder, migrated, **settings)
        self._log = folder / "log"

    def start(self) -> "LoggedFront":
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dashboard.cli", "serve", f"--port={self.port}"],
                env=self._environment,
                stderr=log,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        for _ in range(6):  # a busy machine takes longer than one round
            until(lambda: "serve.started" in self.written_log)
        assert "serve.started" in self.written_log
        return self

    def kill(self) -> None:
        """End it, and show its log where a test failed."""
        super().kill()
        if self._log.exists():
            print(self.written_log)  # noqa: T201 - pytest shows it for a failure only

    @property
    def written_log(self) -> str:
        return self._log.read_text()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(each) for each in self.written_log.splitlines()]


@pytest.fixture
def front(tmp_path: Path, migrated_sqlite: Path) -> Iterator[LoggedFront]:
    made = LoggedFront(tmp_path, migrated_sqlite)
    yield made
    made.kill()


def test_it_says_one_line_when_it_answers_and_one_when_it_stopped(
    front: LoggedFront,
) -> None:
    front.start()
    assert front.send("GET /sign-in HTTP/1.1")[0].status == 200
    front.stop()
    assert front.ends_by_itself(60)

    [started] = [each for each in front.events if each["event"] == "serve.started"]
    assert started["address"] == started["public_url"] == front.url
    assert started["database"] == f"SQLite {front.file}"
    assert started["version"]
    assert front.events[-1]["event"] == "serve.stopped"


def test_every_line_is_json_and_an_outage_is_said_once(front: LoggedFront) -> None:
    front.start()
    cookie = front.cookie()
    moved = front.file.with_suffix(".moved")

    front.file.rename(moved)
    for _ in range(3):
        for path in ("/", FORGED, f"/connect/acme/i/{SECRET}", f"/tokens/{SECRET}"):
            front.send(f"GET {path} HTTP/1.1", cookie)
        front.send("GET /x HTTP/1.1", "Host: a..b", host=False)
        assert front.post_webhook(b"{}") == 503
    moved.rename(front.file)
    until(lambda: front.send("GET / HTTP/1.1", cookie)[0].status == 200)

    names = [each["event"] for each in front.events]
    assert names.count("database.unavailable") == 1
    assert names.count("database.recovered") == 1
    others = {"database.unavailable", "database.recovered", "serve.started"}
    others |= {"settings.public_url_refused_by_zoom", "request.failed"}
    # Said once too, when a check was under way just then.
    assert set(names) - {"calls to Recall go on uncounted"} == others
    assert names.count("request.failed") == 6
    assert SECRET not in front.written_log
    assert "session.begun" not in names


def test_text_and_level_are_settings(tmp_path: Path, migrated_sqlite: Path) -> None:
    front = LoggedFront(
        tmp_path,
        migrated_sqlite,
        DASHBOARD_LOG_FORMAT="text",
        DASHBOARD_LOG_LEVEL="INFO",
    )
    try:
        front.start()
        assert "level=info event=serve.started" in front.written_log
    finally:
        front.kill()
