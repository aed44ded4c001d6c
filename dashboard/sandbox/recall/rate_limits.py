"""Rate limits per workspace and operation, and counts of calls.

Refuses per minute of the clock; also counts the most calls in any 60 seconds, which is
stricter. Source: docs/contracts/recall.md 1.5.
"""

import threading
from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

_MINUTE_S = 60
_LOW, _HIGH = 60, 300
_LOW_LIMIT = frozenset(
    {
        "apps.list",
        "apps.logs",
        "credentials.list",
        "credentials.mappings",
    }
)


@dataclass(kw_only=True)
class CallCount:
    """Calls of one operation by one workspace.

    Attributes:
        asked: All calls, refused ones included.
        refused: Those answered 429.
        peak: The most calls within any 60 s.
        recent_s: Times of the last calls, in seconds since the epoch.
    """

    asked: int = 0
    refused: int = 0
    peak: int = 0
    recent_s: deque[float] = field(default_factory=deque)

    def add(self, second: float) -> None:
        """Count a call; calls come in order of time."""
        self.asked += 1
        self.recent_s.append(second)
        while self.recent_s[0] <= second - _MINUTE_S:
            self.recent_s.popleft()
        self.peak = max(self.peak, len(self.recent_s))


def limit_of(operation: str) -> int:
    """Return the allowed calls a minute, by endpoint."""
    return _LOW if operation in _LOW_LIMIT else _HIGH


class RateLimiter:
    """Counts calls by minute of the simulated clock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Reset all counts."""
        with self._lock:
            self._minute = 0
            self._in_minute: dict[tuple[str, str], int] = {}
            self._calls: defaultdict[tuple[str, str], CallCount] = defaultdict(
                CallCount
            )

    def wait_s(
        self, api_key: str, operation: str, *, now: datetime, is_limited: bool = True
    ) -> int | None:
        """Count a call; return the whole seconds to wait if it exceeds the limit."""
        second = int(now.timestamp())
        with self._lock:
            count = self._calls[api_key, operation]
            count.add(now.timestamp())
            if second // _MINUTE_S != self._minute:
                self._minute = second // _MINUTE_S
                self._in_minute.clear()
            seen = self._in_minute.get((api_key, operation), 0)
            if is_limited and seen >= limit_of(operation):
                count.refused += 1
                return _MINUTE_S - second % _MINUTE_S
            self._in_minute[api_key, operation] = seen + 1
            return None

    def counts(self) -> list[dict[str, Any]]:
        """Return the calls of each workspace by operation, as JSON."""
        with self._lock:
            return [
                {
                    "workspace": api_key,
                    "operation": operation,
                    "limit": limit_of(operation),
                    "asked": count.asked,
                    "refused": count.refused,
                    "peak": count.peak,
                }
                for (api_key, operation), count in sorted(self._calls.items())
            ]
