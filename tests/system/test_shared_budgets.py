"""Several processes ask Recall as often as they may: it never has to refuse."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from dashboard.app import build_runtime
from dashboard.clients.recall.api import Recall
from dashboard.db import Database
from dashboard.errors import UpstreamError
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Runtime
from dashboard.settings import Settings
from tests.conftest import HTTPS
from tests.makers import API_KEY, FakeClock

KEY = API_KEY.get_secret_value()
TRIES = 100


def tally(sandbox: RunningSandbox, operation: str) -> dict[str, Any]:
    """Return what the simulated Recall counted itself."""
    found = sandbox.recall_world.rate_limiter.counts()
    (one,) = [each for each in found if each["operation"] == operation]
    return one


@pytest.fixture
def shared(settings: Settings, postgresql: Database) -> Settings:
    """The settings of processes that share a PostgreSQL."""
    url = postgresql.url.render_as_string(hide_password=False)
    return settings.model_copy(update={"database_url": url})


def test_two_processes_at_once_leave_nothing_to_refuse(
    shared: Settings, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    sandbox.recall_world.add_workspace("us-east-1", KEY)
    sandbox.clock.set(None)
    build_runtime(shared, listens_on=HTTPS).close()  # makes the keys that both share
    command = [sys.executable, "-m", "tests.fixtures.rate_limit_load", str(tmp_path)]
    where = [str(shared.database_url), sandbox.recall_url, KEY]
    hammers = [
        subprocess.Popen(
            [*command, *where, who, str(TRIES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for who in ("people", "background")
    ]
    for hammer in hammers:
        assert hammer.stdin is not None
        hammer.stdin.write("go\n")
        hammer.stdin.flush()
    people, background = (
        json.loads(hammer.communicate(timeout=120)[0].splitlines()[-1])
        for hammer in hammers
    )

    counted = tally(sandbox, "apps.list")
    assert people["made"] + background["made"] == counted["asked"] == 60
    assert background["made"] <= 36
    assert (counted["refused"], counted["peak"]) == (0, 60)


@pytest.fixture
def processes(shared: Settings, clock: FakeClock) -> Iterator[list[Runtime]]:
    """Two installations as two processes would be, each with its own connections."""
    clock_: Any = clock
    made = [build_runtime(shared, listens_on=HTTPS, clock=clock_) for _ in range(2)]
    with closing(made[0]), closing(made[1]):
        yield made


def test_minutes_of_asking_too_much_stay_below_the_limit_in_every_sixty_seconds(
    processes: list[Runtime], sandbox: RunningSandbox, clock: FakeClock
) -> None:
    sandbox.recall_world.add_workspace("us-east-1", KEY)
    people = [one.recall("us-east-1", API_KEY) for one in processes]
    quiet = [one.in_background().recall("us-east-1", API_KEY) for one in processes]

    def ask(recall: Recall) -> None:
        with suppress(UpstreamError):
            recall.check_key()

    for second in range(200):
        for recall in quiet:
            ask(recall)
        if second % 50 > 30:  # people come in bursts
            for recall in people * 2:
                ask(recall)
        clock.advance(seconds=1)
        sandbox.clock.advance(1)

    counted = tally(sandbox, "apps.logs")
    assert counted["refused"] == 0
    assert 36 < counted["peak"] <= 60
    assert counted["asked"] > 100
