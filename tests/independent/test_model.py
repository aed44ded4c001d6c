"""A short life, drawn by a seed, in which no page is green that must not be."""

from pathlib import Path

import pytest

from dashboard.db import Database
from tests.independent.model import Model, worlds
from tests.independent.scenarios import play
from tests.independent.stage import a_stage

STEPS = 3
PLAYED = ("disconnected_by_staff", "other_secret_in_recall")


@pytest.mark.parametrize(
    ("on", "world", "variant"),
    [
        ("sqlite", "simulated", "relay"),
        ("sqlite", "independent", "account"),
        ("postgresql", "independent", "direct"),
        ("postgresql", "simulated", "stored"),
    ],
)
def test_nothing_is_green_that_is_not_so(
    request: pytest.FixtureRequest, tmp_path: Path, on: str, world: str, variant: str
) -> None:
    database: Database = request.getfixturevalue(on)
    with a_stage(database, tmp_path, worlds(3)[world]) as stage:
        model = Model(stage, seed=3, variant=variant)
        for _ in range(STEPS):
            model.step(lambda _: None)
    assert model.report.reads > STEPS * 8
    assert model.report.first == []


@pytest.mark.parametrize("name", PLAYED)
def test_nothing_is_wrong_in_a_scenario(
    sqlite: Database, tmp_path: Path, name: str
) -> None:
    with a_stage(sqlite, tmp_path, worlds(1)["independent"]) as stage:
        model = Model(stage, seed=1)
        play(name, model, lambda _: None)
    assert model.report.first == []
