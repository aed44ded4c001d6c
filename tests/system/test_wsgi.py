"""`wsgi:app` as a WSGI server imports it: its logs hide secrets too."""

import json
import subprocess
import sys
from pathlib import Path

from dashboard import schema
from dashboard.db import Database

ROOT = Path(__file__).resolve().parents[2]
LOGS = """
import logging
import wsgi
assert wsgi.app.name == "dashboard.app"
logging.getLogger("a.library").error("GET /tokens/a-key-that-opens-tokens/zak")
"""


def test_what_libraries_log_under_another_server_holds_no_secret(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/dashboard.db"
    database = Database(url)
    schema.upgrade(database)
    database.close()
    settings = {
        "DASHBOARD_DATABASE_URL": url,
        "DASHBOARD_INSTANCE_DIR": str(tmp_path),
        "DASHBOARD_PUBLIC_URL": "https://dashboard.example.com",
        "DASHBOARD_LOG_FORMAT": "json",
    }

    ended = subprocess.run(
        [sys.executable, "-c", LOGS],
        cwd=ROOT,
        env=settings,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr[-600:]
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert (ended.returncode, ended.stdout) == (0, "")
    assert "/tokens/" in lines[-1]["event"]
    assert "a-key-that-opens-tokens" not in ended.stderr
