"""Rate limits per workspace and operation (contracts/recall.md 1.5)."""

import threading
from datetime import datetime

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


class Throttle:
    """Counts calls by simulated minute of the clock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute = 0
        self._counts: dict[tuple[str, str], int] = {}

    def reset(self) -> None:
        """Forget all counts."""
        with self._lock:
            self._counts.clear()

    def wait_s(self, api_key: str, operation: str, *, now: datetime) -> int | None:
        """Count one call; return whole seconds to wait if it is one too many."""
        second = int(now.timestamp())
        with self._lock:
            if second // _MINUTE_S != self._minute:
                self._minute = second // _MINUTE_S
                self._counts.clear()
            seen = self._counts.get((api_key, operation), 0)
            if seen >= (_FEW if operation in _FEW_A_MINUTE else _MANY):
                return _MINUTE_S - second % _MINUTE_S
            self._counts[api_key, operation] = seen + 1
            return None
