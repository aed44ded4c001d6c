"""`python -m tests.web.fuzz`: `test_fuzz` at length, on one database."""

import random
import sys
from pathlib import Path

import click
import pytest

from tests.web.test_fuzz import AtLength


@click.command()
@click.option("--database", type=click.Choice(["sqlite", "postgresql"]), required=True)
@click.option("--requests", default=20_000, show_default=True)
@click.option("--seed", type=int, help="Drawn when not given.")
def main(database: str, requests: int, seed: int | None) -> None:
    """Ask every route with odd values. Ends with 1 when an answer was 5xx."""
    seed = random.randrange(1, 10**6) if seed is None else seed
    test = Path(__file__).with_name("test_fuzz.py")
    early = "ignore::pytest.PytestAssertRewriteWarning"  # what this imports
    chosen = [str(test), "-q", "-s", "-n", "0", "-k", database, "-W", early]
    sys.exit(pytest.main(chosen, plugins=[AtLength(requests=requests, seed=seed)]))


if __name__ == "__main__":
    main()
