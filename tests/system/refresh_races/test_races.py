"""A few races; `python -m tests.system.refresh_races` runs as many as you like."""

from pathlib import Path

import pytest

from dashboard.db import Database
from tests.system.refresh_races.fates import FATES
from tests.system.refresh_races.run import RECONNECT, SURVIVES, races
from tests.system.refresh_races.stage import RaceStage


@pytest.mark.parametrize("seed", [1])
def test_the_grant_lives_or_its_user_is_told_to_reconnect(
    postgresql: Database, tmp_path: Path, seed: int
) -> None:
    url = postgresql.url.render_as_string(hide_password=False)

    with RaceStage(tmp_path, url) as stage:
        tally = races(stage, runs=len(FATES), seed=seed)

    ends = tally.total
    assert ends.total() == ends[SURVIVES] + ends[RECONNECT], list(tally.lines())
    assert tally.ends["at once"][SURVIVES] == 1
    assert tally.ends["killed after Zoom answered"][RECONNECT] == 1
