"""`python -m tests.system.chaos`: minutes of chaos, then the balance."""

import random
import signal
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import click

from tests.system.chaos.run import STAGES, play


@click.command()
@click.option("--database", type=click.Choice(sorted(STAGES)), required=True)
@click.option("--minutes", default=10.0, show_default=True)
@click.option("--rate", default=60.0, show_default=True, help="Events a second.")
@click.option("--seed", type=int, help="Draws events and faults; drawn when not given.")
@click.option("--drain", default=180.0, show_default=True, help="Longest wait, in s.")
def main(
    database: str, minutes: float, rate: float, seed: int | None, drain: float
) -> None:
    """Break a dashboard for a while, then balance the books.

    Ends with 1 when a webhook was lost, altered, refused or unknown, or an attempt had
    two owners. Logs of the processes stay in a temporary folder then.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    seed = random.randrange(10**6) if seed is None else seed
    began = time.monotonic()

    def say(line: str) -> None:
        click.echo(f"{time.monotonic() - began:7.1f} s  {line}")

    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    click.echo(f"Database {database}, {minutes:g} min, {rate:g}/s, seed {seed}")
    click.echo(f"Logs of the processes: {folder}")
    with closing(STAGES[database](folder)) as stage:
        if not stage.disk.can_be_full:
            click.echo("No file system can be mounted here, so the disk is never full.")
        stage.open()
        say("everything runs")
        report = play(
            stage,
            seconds=minutes * 60,
            rate=rate,
            seed=seed,
            drain_s=drain,
            say=say,
        )
    click.echo(report.text())
    if report.balance.wrong:
        click.echo(f"Wrong: {report.balance.wrong}")
        sys.exit(1)
    click.echo("The books balance.")


main()
