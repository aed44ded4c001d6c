"""Run after run: a fate, a look, time that passes, a look, and what Zoom says."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from dashboard.models.connection import TokenState
from tests.system.refresh_races.fates import FATES, LOSES_NOTHING
from tests.system.refresh_races.stage import RaceStage

SURVIVES, RECONNECT = "live token survives", "reconnect needed"
WRONG, NEEDLESS, STUCK = "WRONG healthy", "needless reconnect", "neither"


@dataclass(kw_only=True)
class Tally:
    """How many runs of each fate ended how."""

    ends: dict[str, Counter[str]] = field(
        default_factory=lambda: {name: Counter() for name in FATES}
    )

    @property
    def total(self) -> Counter[str]:
        """All fates together."""
        return sum(self.ends.values(), Counter())

    def lines(self) -> Iterator[str]:
        """Say it for a terminal."""
        heads = (SURVIVES, RECONNECT, NEEDLESS, STUCK, WRONG)
        rows = [*self.ends.items(), ("all", self.total)]
        width = max(len(name) for name, _ in rows)
        yield " " * width + "".join(f"  {head:>19}" for head in ("runs", *heads))
        for name, ends in rows:
            counts = (ends.total(), *(ends[head] for head in heads))
            yield f"{name:<{width}}" + "".join(f"  {count:>19}" for count in counts)


def races(
    stage: RaceStage, *, runs: int, seed: int, told: Callable[[str], object] = len
) -> Tally:
    """Run so many, each fate in turn; the same seed draws the same."""
    tally, names = Tally(), list(FATES)
    for number in range(runs):
        name = names[number % len(names)]
        end = _race(stage, name, number, random.Random(f"{seed}:{number}"))
        tally.ends[name][end] += 1
        if end in (WRONG, NEEDLESS, STUCK):
            told(f"run {number} ({name}): {end}")
    return tally


def _race(stage: RaceStage, name: str, number: int, draw: random.Random) -> str:
    runner = stage.runner(number)
    FATES[name](stage, runner, draw)
    before = stage.look(runner).token_state
    stage.settle(runner)
    after = stage.look(runner).token_state
    survives = stage.survives(runner)
    if not survives and TokenState.HEALTHY in (before, after):
        return WRONG
    if after is TokenState.HEALTHY:
        return SURVIVES
    if after is TokenState.RECONNECT_NEEDED:
        return NEEDLESS if survives or name in LOSES_NOTHING else RECONNECT
    return STUCK
