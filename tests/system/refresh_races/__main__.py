"""Prints how so many races ended; exits with 1 if any ended wrongly."""

import sys
import tempfile
import time
from pathlib import Path

import click

from tests.system.refresh_races.run import NEEDLESS, STUCK, WRONG, races
from tests.system.refresh_races.stage import RaceStage


@click.command()
@click.option("--runs", default=200, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(runs: int, seed: int) -> None:
    """Let two processes renew one grant, again and again."""
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="refresh-races-") as folder,
        RaceStage(Path(folder)) as stage,
    ):
        tally = races(stage, runs=runs, seed=seed, told=click.echo)
    for line in tally.lines():
        click.echo(line)
    click.echo(f"seed {seed}, {time.monotonic() - began:.0f} s")
    sys.exit(any(tally.total[bad] for bad in (WRONG, NEEDLESS, STUCK)))


if __name__ == "__main__":
    main()
