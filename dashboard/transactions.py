"""Keeps slow work out of writing transactions.

On SQLite there is one writing transaction at a time and Zoom's webhooks wait for it;
on PostgreSQL it holds locks. Whatever may take long asks here first.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_of_thread = threading.local()


@contextmanager
def open_here() -> Iterator[None]:
    """Note that this thread has a writing transaction open."""
    _of_thread.number = number() + 1
    try:
        yield
    finally:
        _of_thread.number -= 1


def number() -> int:
    """Return how many writing transactions this thread has open."""
    return int(getattr(_of_thread, "number", 0))


def require_none(work: str) -> None:
    """Refuse slow work while this thread has a writing transaction open.

    Raises:
        RuntimeError: It has: a mistake in the code, found by its tests.
    """
    if number():
        raise RuntimeError(f"{work} inside a writing transaction")
