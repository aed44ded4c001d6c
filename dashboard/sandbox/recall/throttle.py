"""Rate limits per workspace and operation, and what came.

Source: docs/contracts/recall.md 1.5.

Refuses by the minute of the clock, as counters of minutes do; notes the most that any
60 seconds saw, which is stricter.
"""

import threading
from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

_MINUTE_S = 60
_FEW, _MANY = 60, 300
_FEW_A_MINUTE = frozenset(
    {
        "apps.list",
        "logs.apps",
        "credentials.list",
        "logs.mappings",
    }
)


@dataclass(kw_only=True)
class Tally:
    """What one workspace asked by one operation.

    Attributes:
        asked: Calls ever, refused ones included.
        refused: Those answered 429.
        peak: The most calls within any 60 s.
        recent_s: When the last calls came, in seconds since the epoch.
    """

    asked: int = 0
    refused: int = 0
    peak: int = 0
    recent_s: deque[float] = field(default_factory=deque)

    def note(self, second: float) -> None:
        """Count a call, of those that come in the order of time."""
        self.asked += 1
        self.recent_s.append(second)
        while self.recent_s[0] <= second - _MINUTE_S:
            self.recent_s.popleft()
        self.peak = max(self.peak, len(self.recent_s))


def limit_of(operation: str) -> int:
    """Return how many calls a minute an operation takes, by its endpoint's name."""
    return _FEW if operation in _FEW_A_MINUTE else _MANY


class Throttle:
    """Counts calls by simulated minute of the clock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget all counts."""
        with self._lock:
            self._minute = 0
            self._counts: dict[tuple[str, str], int] = {}
            self._tallies: defaultdict[tuple[str, str], Tally] = defaultdict(Tally)

    def wait_s(
        self, api_key: str, operation: str, *, now: datetime, is_limited: bool = True
    ) -> int | None:
        """Count one call; return whole seconds to wait if it is one too many."""
        second = int(now.timestamp())
        with self._lock:
            tally = self._tallies[api_key, operation]
            tally.note(now.timestamp())
            if second // _MINUTE_S != self._minute:
                self._minute = second // _MINUTE_S
                self._counts.clear()
            seen = self._counts.get((api_key, operation), 0)
            if is_limited and seen >= limit_of(operation):
                tally.refused += 1
                return _MINUTE_S - second % _MINUTE_S
            self._counts[api_key, operation] = seen + 1
            return None

    def tallies(self) -> list[dict[str, Any]]:
        """Return what each workspace asked, operation by operation, as JSON."""
        with self._lock:
            return [
                {
                    "workspace": api_key,
                    "operation": operation,
                    "limit": limit_of(operation),
                    "asked": tally.asked,
                    "refused": tally.refused,
                    "peak": tally.peak,
                }
                for (api_key, operation), tally in sorted(self._tallies.items())
            ]
