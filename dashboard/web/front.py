"""What the server calls: Zoom's door in the event loop, every page in a thread."""

import asyncio

from granian.rsgi import HTTPProtocol, Scope

from dashboard.web.bridge import Bridge
from dashboard.web.door import Door
from dashboard.web.receiver import PREFIX


class Front:
    """An RSGI app.

    Args:
        door: Answers everything below `/hooks/`.
        pages: Answers the rest.
    """

    def __init__(self, door: Door, pages: Bridge) -> None:
        self._door = door
        self._pages = pages

    async def __rsgi__(self, scope: Scope, http: HTTPProtocol) -> None:
        """Answer one request."""
        if scope.path.startswith(PREFIX):
            await self._door(scope, http)
        else:
            await self._pages(scope, http)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let the threads go when the server stops."""
        del loop
        self._door.close()
        self._pages.close()
