"""Open pages of a zoom app; each does what `static/live.js` does except drawing.

They run in a thread of this process; their users are signed in as in a browser.
"""

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from time import perf_counter

import aiohttp
from pydantic import SecretStr

from benchmarks.sites import APP_ID, BenchmarkError, Site
from dashboard.clock import Clock
from dashboard.models.staff import Role
from dashboard.services import audit
from dashboard.services.staff import accounts

_PASSWORD = SecretStr("benchmark-password-0001")
_TOPIC = f"zoom-app-{APP_ID}"
_FRAGMENT = f"/zoom-apps/{APP_ID}/validation"
_STREAM = f"/live/stream?topics={_TOPIC}"
_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
# Our clock on the page, and when it was last seen valid; whole seconds.
_VALID = re.compile(
    rb'id="ours"\s+data-state="valid".*?<time datetime="([^"]+)"', re.DOTALL
)
_ID = re.compile(rb"\nid:\s*(\S*)\n\n\Z")
_RETRY = re.compile(rb"retry: (\d+)\n")
_OPENED_WITHIN_S = 120


@dataclass(kw_only=True)
class Page:
    """One open page.

    Attributes:
        seen: When it first showed a validation of this second or a later one, by that
            second's instant; `perf_counter` seconds.
        is_live: Whether its stream has said something.
    """

    cookie: str
    pushed: int = 0
    fetched: int = 0
    opened: int = 0
    refused: int = 0
    bytes_read: int = 0
    is_live: bool = False
    seen: dict[datetime, float] = field(default_factory=dict)

    def show(self, html: bytes) -> None:
        """Note what the page shows now."""
        found = _VALID.search(html)
        if found:
            at = datetime.fromisoformat(found[1].decode()).astimezone(UTC)
            self.seen.setdefault(at, perf_counter())

    def shown_at(self, requested_at: datetime) -> float | None:
        """Return when it showed a validation of this second or later; None: not yet."""
        return min(
            (when for at, when in list(self.seen.items()) if at >= requested_at),
            default=None,
        )


def add_people(site: Site, number: int) -> list[str]:
    """Add staff, admins and support in turn; return their emails."""
    emails = [f"person{each}@example.com" for each in range(number)]
    with site.database() as database:
        for each, email in enumerate(emails):
            accounts.add(
                database,
                actor=audit.COMMAND_LINE,
                email=email,
                role=(Role.ADMIN, Role.SUPPORT)[each % 2],
                password=_PASSWORD,
                now=Clock().now(),
            )
    return emails


@contextmanager
def open_pages(port: int, emails: list[str], number: int) -> Iterator[list[Page]]:
    """Open pages in a thread until the block ends; give them once all are live.

    Raises:
        StageError: Somebody cannot sign in, or not all became live.
    """
    url = f"http://127.0.0.1:{port}"
    cookies = asyncio.run(_sign_in(url, emails)) if number else []
    pages = [Page(cookie=cookies[each % len(cookies)]) for each in range(number)]
    loop = asyncio.new_event_loop()
    over = asyncio.Event()
    thread = threading.Thread(
        target=loop.run_until_complete, args=(_all_live(url, pages, over),)
    )
    thread.start()
    try:
        _wait_until_live(pages)
        yield pages
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


async def _all_live(url: str, pages: list[Page], over: asyncio.Event) -> None:
    tasks = [asyncio.create_task(_live(url, page)) for page in pages]
    await over.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _wait_until_live(pages: list[Page]) -> None:
    until = perf_counter() + _OPENED_WITHIN_S
    pause = threading.Event()
    while not all(page.is_live for page in pages):
        if perf_counter() > until:
            raise BenchmarkError(f"{sum(p.is_live for p in pages)} pages became live.")
        pause.wait(0.05)


async def _sign_in(url: str, emails: list[str]) -> list[str]:
    cookies = []
    for email in emails:
        jar = aiohttp.CookieJar(unsafe=True)  # which takes them from an IP address
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            async with session.get(f"{url}/sign-in") as form:
                token = _TOKEN.search(await form.text())
            answer = await session.post(
                f"{url}/sign-in",
                data={
                    "csrf_token": token[1] if token else "",
                    "email": email,
                    "password": _PASSWORD.get_secret_value(),
                },
                allow_redirects=False,
            )
            if answer.status != HTTPStatus.SEE_OTHER:
                raise BenchmarkError(f"{email} cannot sign in: {answer.status}.")
            kept = jar.filter_cookies(answer.url)
            cookies.append("; ".join(f"{k}={v.value}" for k, v in kept.items()))
    return cookies


async def _live(url: str, page: Page) -> None:
    """Listen, and come back whenever the line ends, as an EventSource does."""
    last_id, retry_s = "", 1.0
    timeout = aiohttp.ClientTimeout(total=None, sock_read=30)
    async with aiohttp.ClientSession(
        url, headers={"Cookie": page.cookie}, timeout=timeout, read_bufsize=2**18
    ) as session:
        while True:
            headers = {"Last-Event-ID": last_id} if last_id else {}
            try:
                async with session.get(_STREAM, headers=headers) as answer:
                    if answer.status != HTTPStatus.OK:
                        page.refused += 1
                        await asyncio.sleep(15)
                        continue
                    page.opened += 1
                    async for event in _events(answer.content):
                        if (found := _ID.search(event)) is not None:
                            last_id = found[1].decode()
                        if (found := _RETRY.match(event)) is not None:
                            retry_s = int(found[1]) / 1000
                        await _take(session, page, event)
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(retry_s)


async def _events(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    while (block := await content.readuntil(b"\n\n")).endswith(b"\n\n"):
        yield block


async def _take(session: aiohttp.ClientSession, page: Page, event: bytes) -> None:
    page.is_live = True
    page.bytes_read += len(event)
    if event.startswith(b"event: drawn\n"):
        page.pushed += 1
        page.show(event.replace(b"\ndata: ", b"\n"))
    elif event.startswith(b"event: changed\n"):
        page.fetched += 1
        async with session.get(_FRAGMENT, headers={"HX-Request": "true"}) as answer:
            page.show(await answer.read())
