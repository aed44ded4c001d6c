"""The curl examples of docs/api.md, run as they are written, and `api-token`."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from dashboard.cli.api_token import group
from dashboard.db import Database
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.api_tokens import tokens
from dashboard.services.runtime import Runtime
from dashboard.settings import new_key
from tests.fixtures.api import a_token
from tests.fixtures.servers import served
from tests.fixtures.terminal import logs_as_before
from tests.makers import a_connection, saved_app

DOCUMENT = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.fixture
def variables(runtime: Runtime) -> Iterator[dict[str, str]]:
    """Serve a dashboard with one connection; give what the examples name."""
    with served(runtime) as (reachable, _):
        with reachable.database.writing() as session:
            app_id = saved_app(session, reachable.vault)
            session.flush()
            row = a_connection(session.get_one(ZoomApp, app_id))
            row.reference = "u-1041"
            session.add(row)
        yield {
            "TOKEN": a_token(reachable).token,
            "DASHBOARD": reachable.public_url,
            "ZOOM_APP": str(app_id),
        }


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_examples_of_the_document_do_what_they_say(
    variables: dict[str, str],
) -> None:
    examples = re.findall(r"```sh\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    answers = []
    for example in examples:
        done = subprocess.run(
            ["sh", "-c", example],
            env=variables | {"PATH": "/usr/bin:/bin:/usr/local/bin"},
            capture_output=True,
            check=True,
            timeout=60,
        )
        answers.append(json.loads(done.stdout))

    found, link, apps, explained = answers
    assert [one["reference"] for one in found["data"]] == ["u-1041"]
    assert link["url"].startswith(variables["DASHBOARD"])
    assert (link["reference"], link["tags"]) == ("u-1041", ["vip"])
    assert apps["data"][0]["id"] == variables["ZOOM_APP"]
    assert explained["connection_id"] == found["data"][0]["id"]


def test_a_token_is_added_listed_and_revoked_on_the_command_line(
    tmp_path: Path, sqlite: Database
) -> None:
    sqlite.close()  # the command is the one that may write
    environment = {
        "DASHBOARD_INSTANCE_DIR": str(tmp_path),
        "DASHBOARD_ENCRYPTION_KEYS": new_key(),
        "DASHBOARD_DATABASE_URL": f"sqlite:///{sqlite.url.database}",
    }

    def run(*words: str) -> str:
        with logs_as_before():
            done = CliRunner().invoke(group, list(words), env=environment)
        assert done.exit_code == 0, done.output
        return done.stdout

    scopes = ("--scope", "connections:read", "--scope", "events:read")
    made = json.loads(run("add", "--name", "crm", *scopes, "--json"))
    bare = run("add", "--name", "other", "--scope", "webhooks:read").strip()
    revoked = run("revoke", made["id"])
    listed = json.loads(run("list", "--json"))["tokens"]
    text = run("list")

    assert set(made) == {"token", "id"}
    assert tokens.is_spelled(made["token"])
    assert tokens.is_spelled(bare)
    assert revoked == "Revoked crm.\n"
    assert {one["name"]: one["is_valid"] for one in listed} == {
        "crm": False,
        "other": True,
    }
    assert made["token"] not in text + json.dumps(listed)
