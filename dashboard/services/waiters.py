"""Requests that wait for the writer: in threads of their own, or in an event loop."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

Waiter = Callable[[], object] | asyncio.Future[None]
"""What to call, or the future of a loop that is woken once for all of a batch."""


def settle(waiters: Iterable[Waiter]) -> None:
    """Tell each that its wait is over; from any thread."""
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for waiter in waiters:
        if isinstance(waiter, asyncio.Future):
            by_loop.setdefault(waiter.get_loop(), []).append(waiter)
        else:
            waiter()
    for loop, futures in by_loop.items():
        with suppress(RuntimeError):  # the loop has ended, and its requests with it
            loop.call_soon_threadsafe(_wake, futures)


def _wake(futures: Sequence[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():  # its request may have given up
            future.set_result(None)
