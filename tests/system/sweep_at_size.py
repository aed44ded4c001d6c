# ruff: noqa: T201 - a command of its own: it prints what it saw
"""The sweep over 5,000 connections with 429s and an outage in the simulated Recall.

`python -m tests.system.sweep_at_size` takes some minutes of real time and prints what
the simulated Recall counted. The suite runs the same with 500
(tests/services/sweep/test_sweep_at_size.py).
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from dashboard import schema
from dashboard.app import build_runtime
from dashboard.db import Database
from dashboard.sandbox import serving
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.settings import load
from tests.fixtures.sweep import SweepStage, a_sweep_stage
from tests.makers import NOON, FakeClock

CREDENTIALS = "/api/v2/zoom-oauth-credentials/"
_AT_MOST = 2000


def story(stage: SweepStage) -> int:
    """Sweep until all were seen, through every trouble; return how many steps."""
    faults, steps = stage.sandbox.recall_faults, 0
    troubles = {
        0.2: [Fault(kind=FaultKind.RATE_LIMITED, path=CREDENTIALS, seconds=30)],
        0.3: [Fault(kind=FaultKind.RATE_LIMITED_BARE, path=CREDENTIALS)],
        0.4: [Fault(kind=FaultKind.UNAVAILABLE)],
        0.6: [Fault(kind=FaultKind.HTML_403)],
    }
    number = stage.unseen()
    while (unseen := stage.unseen()) and steps < _AT_MOST:
        seen = 1 - unseen / number
        for share in [share for share in troubles if share <= seen]:
            faults.set(troubles.pop(share))
            steps += sum(1 for _ in stage.run(60))
            faults.set([])
        stage.tick()
        steps += 1
    # Those who were asked about in a trouble have their turn a little later.
    return steps + sum(1 for _ in stage.run(900))


def main() -> None:
    """Make them, sweep, print; end with 1 if anything is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=5000)
    number = parser.parse_args().connections
    sandbox = serving.start(allow_local=True)
    clock: Any = FakeClock()
    sandbox.clock.set(NOON)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/dashboard.db"
        database = Database(url)
        schema.upgrade(database)
        database.close()
        settings = load(
            instance=Path(folder),
            public_url="https://dashboard.example.com",
            database_url=url,
            zoom_url=sandbox.zoom_url,
            zoom_api_url=sandbox.zoom_url,
            recall_url=sandbox.recall_url,
        )
        runtime = build_runtime(settings, listens_on="", clock=clock)
        stage = a_sweep_stage(runtime, sandbox, clock, number=number)
        began = time.monotonic()
        steps = story(stage)
        took_s = time.monotonic() - began
        stage.sweep.close()
        wrong, unseen, calls = stage.wrong(), stage.unseen(), stage.calls()
        runtime.close()
    sandbox.close()
    print(f"{number:,} connections, {steps * 10 / 60:.0f} simulated minutes, ", end="")
    print(f"{took_s:.0f} s; never seen: {unseen}; in a wrong state: {dict(wrong)}")
    for name, one in calls.items():
        print(f"  {name:28} asked {one['asked']:6,}  in any 60 s at most", end="")
        print(f" {one['peak']:3} of {one['limit']}, refused {one['refused']}")
    over = any(one["peak"] > one["limit"] for one in calls.values())
    sys.exit(bool(over or wrong or unseen))


if __name__ == "__main__":
    main()
