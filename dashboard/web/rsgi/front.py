"""What the server calls: the machines' doors in the loop, every page in a thread."""

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType

from granian.rsgi import HTTPProtocol, Scope

from dashboard.web import token_endpoint
from dashboard.web.hooks.rsgi import Door
from dashboard.web.hooks.wsgi import PREFIX
from dashboard.web.rsgi.bridge import Bridge
from dashboard.web.token_endpoint import TokenEndpoint


class Front:
    """An RSGI app.

    Args:
        door: Answers everything below `/hooks/`.
        token_endpoint: Answers everything below `/tokens/`.
        pages: Answers the rest.
        when_told_to_stop: Called at the first signal, in a thread of its own. Open live
            pages would hold the stop up: the server waits for every answer.
    """

    def __init__(
        self,
        door: Door,
        token_endpoint: TokenEndpoint,
        pages: Bridge,
        *,
        when_told_to_stop: Callable[[], None],
    ) -> None:
        self._door = door
        self._tokens = token_endpoint
        self._pages = pages
        self._when_told_to_stop = when_told_to_stop

    async def __rsgi__(self, scope: Scope, http: HTTPProtocol) -> None:
        """Answer one request."""
        if scope.path.startswith(PREFIX):
            await self._door(scope, http)
        elif scope.path.startswith(token_endpoint.PREFIX):
            await self._tokens(scope, http)
        else:
            await self._pages(scope, http)

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Listen to signals too; the server and its loop have set their handlers."""
        del loop
        for number in (signal.SIGINT, signal.SIGTERM):
            _also(number, self._when_told_to_stop)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let the threads go when the server stops."""
        del loop
        self._door.close()
        self._tokens.close()
        self._pages.close()


def _also(number: signal.Signals, act: Callable[[], None]) -> None:
    # `set_wakeup_fd` will not do: uvloop takes it for itself while it runs.
    before = signal.getsignal(number)

    def told(got: int, frame: FrameType | None) -> None:
        threading.Thread(target=act, name="stopping", daemon=True).start()
        if callable(before):
            before(got, frame)

    signal.signal(number, told)
