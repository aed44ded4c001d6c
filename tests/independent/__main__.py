"""`python -m tests.independent`: every scenario, against one pair."""

import sys
import tempfile
from pathlib import Path

import click
import structlog

from tests.independent.model import VARIANTS, Model, a_database, worlds
from tests.independent.scenarios import SCENARIOS, play
from tests.independent.stage import a_stage


@click.command()
@click.option(
    "--database", type=click.Choice(["sqlite", "postgresql"]), default="sqlite"
)
@click.option("--world", type=click.Choice(sorted(worlds(0))), default="independent")
@click.option("--variant", type=click.Choice(VARIANTS), default="relay")
@click.option("--seed", default=1, show_default=True, help="Of the drawn freedoms.")
@click.argument("names", nargs=-1, type=click.Choice(sorted(SCENARIOS)))
def main(
    database: str, world: str, variant: str, seed: int, names: tuple[str, ...]
) -> None:
    """Play them one after the other, and print every wrong sentence."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    wrong = 0
    for name in names or SCENARIOS:
        with (
            tempfile.TemporaryDirectory(prefix="scenario-") as folder,
            a_database(database, Path(folder)) as opened,
            a_stage(opened, Path(folder), worlds(seed)[world]) as stage,
        ):
            model = Model(stage, seed=seed, variant=variant)
            play(name, model, lambda line: click.echo(f"  {line}"))
            report = model.report
            wrong += len(report.wrong)
            click.echo(f"{name}: {report.wrong.total()} wrong")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
