"""Faults in an order drawn from the seed, one after the other in each lane."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.system.chaos.recall import Recall
from tests.system.chaos.stage import Act, Lasts

Say = Callable[[str], None]
_TELLING_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long faults last, and the pauses between: from, to, in seconds."""

    lasts_s: tuple[float, float]
    pause_s: tuple[float, float]


SHORT = Pace(lasts_s=(0.3, 2.0), pause_s=(0.3, 1.0))
LONG = Pace(lasts_s=(0.5, 8.0), pause_s=(0.5, 5.0))


class Lane:
    """A thread that does one act after the other until told to stop.

    Acts are dealt from a shuffled pack, so that each strikes about as often.

    Attributes:
        counts: How often each act struck.
        error: Why it ended early.
    """

    def __init__(
        self, acts: Mapping[str, Act], *, pace: Pace, draw: random.Random, say: Say
    ) -> None:
        self.counts: Counter[str] = Counter(dict.fromkeys(acts, 0))
        self.error: Exception | None = None
        self._acts = acts
        self._pace = pace
        self._draw = draw
        self._say = say
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the fault that is on and come back when all is right again."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        pack: list[str] = []
        try:
            while not self._stopping.wait(self._draw.uniform(*self._pace.pause_s)):
                if not pack:
                    pack = sorted(self._acts)
                    self._draw.shuffle(pack)
                self._do(pack.pop())
        except Exception as error:  # noqa: BLE001 - kept for whoever started the lane, who raises it again
            self._say(f"the run ends: {error!r}")
            self.error = error

    def _do(self, name: str) -> None:
        lasts_s = self._draw.uniform(*self._pace.lasts_s)
        self._say(f"{name}, for {lasts_s:.1f} s")
        self.counts[name] += 1
        began = time.monotonic()
        self._acts[name](lambda: self._stopping.wait(lasts_s), self._draw)
        more_s = time.monotonic() - began - lasts_s
        if more_s > _TELLING_S:
            self._say(f"{name}: {more_s:.1f} s more until all was right again")


def recall_acts(recall: Recall, apps: list[str]) -> dict[str, Act]:
    """Return what can be done to Recall: to both zoom apps, or to one of them."""

    def striking(kind: str, seconds: float = 1.0) -> Act:
        def act(lasts: Lasts, draw: random.Random) -> None:
            recall.strike(
                kind, draw.choice((apps, apps[:1], apps[1:])), seconds=seconds
            )
            try:
                lasts()
            finally:
                recall.mend()

        return act

    def refusing(status: int) -> Act:
        def act(lasts: Lasts, _draw: random.Random) -> None:
            recall.refuse(status)
            try:
                lasts()
            finally:
                recall.mend()

        return act

    return {
        "Recall slow": striking("slow", 5.0),
        "Recall down": striking("down"),
        "Recall 500": striking("server_error"),
        "Recall 503": striking("unavailable"),
        "Recall 429": striking("rate_limited", 2.0),
        "Recall 401": refusing(401),
        "Recall 403": striking("html_403"),
        "Recall half answers": striking("half_answer"),
        "Recall answers lost": striking("lost_answer"),
    }
