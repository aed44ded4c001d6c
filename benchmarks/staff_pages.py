"""How long Zoom's door takes to answer while a staff page works on the worst there is.

`python -m benchmarks.staff_pages`; each page is opened again and again by one person
while signed events come in at a steady rate. A server of its own for each page: before
redaction was bounded, one page stopped it for good.
"""

import argparse
import asyncio
import json
import sqlite3
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.cookies import SimpleCookie
from time import perf_counter
from typing import Any

import aiohttp
from yarl import URL

from benchmarks import report
from benchmarks.open_pages import _TOKEN, _sign_in, add_people
from benchmarks.processes import dashboard
from benchmarks.sites import (
    APP_ID,
    SECRET_TOKEN,
    BenchmarkError,
    Site,
    Sites,
    open_sites,
)
from dashboard.clock import Clock
from dashboard.services.receiver.signatures import sign, signed_bytes

LIMIT_MS = 1000
_MIB = 1024 * 1024
_SUMMARY = "会議の要点をまとめます。次回までに各担当者は資料を準備してください。"
_DOOR = f"/hooks/zoom/{APP_ID}"

BODIES: Mapping[str, str] = {
    "letters": json.dumps({"event": "a.letters", "topic": "a" * (_MIB - 100)}),
    "a summary in Japanese": json.dumps(
        {"event": "a.summary", "payload": _SUMMARY * 9000}, ensure_ascii=False
    ),
    "emails": json.dumps({"event": "a.emails", "topic": "a@b.c " * (_MIB // 6 - 20)}),
    "zeros in lists": json.dumps(
        {"event": "a.zeros", "payload": [[0] * 9] * (_MIB // 32)}
    ),
    "quotes": json.dumps({"event": "a.quotes", "topic": "'" * (_MIB - 100)}),
}
_PASTED = {
    "letters": "a" * 10_000,
    "links in links": ("https://a.example/?u=https%3A%2F%2F" * 400)[:10_000],
    "lines": ("a@b.example\n" * 900)[:10_000],
}
_LIST = "nobody\n" * 70_000

Form = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Page:
    """What is opened: `{id}` is the webhook's; with a form it is posted.

    Attributes:
        body: Whose webhook is opened, by its name in BODIES.
    """

    path: str
    body: str = "letters"
    form: Form | None = None


def pages() -> dict[str, Page]:
    """Return the pages by the name of their row."""
    found = {"(no page)": Page(path="")}
    for body in BODIES:
        found[f"a webhook: {body}"] = Page(path="/webhooks/{id}", body=body)
    found["its proof: letters"] = Page(path="/webhooks/{id}/verify")
    found["revealed: quotes"] = Page(
        path="/webhooks/{id}/reveal", body="quotes", form={}
    )
    for name, text in _PASTED.items():
        found[f"Explain: {name}"] = Page(path="/explain/", form={"q": text})
    found["a list of 70,000 people"] = Page(
        path="/connections/invitations/list",
        form={"people": _LIST, "expires_days": "7", "app": str(APP_ID)},
    )
    found["CSV of the log"] = Page(path="/webhooks/?format=csv")
    return found


def main() -> None:
    """Measure, print; end with 1 when an answer took too long."""
    options = _options()
    rows = []
    with open_sites() as sites:
        print(report.machine(sites, ["sqlite"]))
        site, ids = _prepare(sites)
        for name, page in pages().items():
            if options.only and options.only not in name:
                continue
            row = _measure(sites.copy(site), page, ids, options)
            rows.append([name, *row.cells(options.most)])
            print(rows[-1], flush=True)
    head = ["page", "opened", "page ms", "p99 ms", "longest ms", "no answer"]
    print(_table(head, rows))
    sys.exit(any(float(row[4].replace(",", "")) >= LIMIT_MS for row in rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=20.0, help="events a second")
    parser.add_argument(
        "--most", type=float, default=30.0, help="longest wait for an answer, in s"
    )
    parser.add_argument("--only", default="", help="pages whose name has this")
    return parser.parse_args()


def _prepare(sites: Sites) -> tuple[Site, dict[str, int]]:
    """Return a site that has received each body, and the ids of the webhooks."""
    site = sites.site("sqlite")
    add_people(site, 1)
    with dashboard(site, "serve") as running:
        asyncio.run(_receive(running.port))
    path = site.database_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as database:
        found = dict(database.execute("SELECT event, id FROM webhook").fetchall())
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # a copy is of one file
    return site, {
        name: found[json.loads(body)["event"]] for name, body in BODIES.items()
    }


async def _receive(port: int) -> None:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        for body in BODIES.values():
            async with session.post(_DOOR, **_signed(body.encode())) as answer:
                answer.raise_for_status()


def _signed(body: bytes) -> dict[str, Any]:
    timestamp = str(int(Clock().now().timestamp()))
    signature = sign(signed_bytes(timestamp, body), SECRET_TOKEN).decode()
    headers = {
        "Content-Type": "application/json",
        "x-zm-request-timestamp": timestamp,
        "x-zm-signature": signature,
    }
    return {"data": body, "headers": headers}


@dataclass(frozen=True, kw_only=True)
class Row:
    """What was seen; in seconds, None for no answer."""

    page_s: list[float]
    answers_s: list[float | None]

    def cells(self, most_s: float) -> list[str]:
        """Return the cells of the table."""
        took = sorted(most_s if one is None else one for one in self.answers_s)
        page = sorted(self.page_s)
        return [
            f"{len(page)}",
            f"{page[len(page) // 2] * 1000:,.0f}" if page else "never",
            f"{took[int(len(took) * 0.99)] * 1000:,.0f}",
            f"{took[-1] * 1000:,.0f}",
            f"{self.answers_s.count(None)} of {len(took)}",
        ]


def _measure(
    site: Site, page: Page, ids: Mapping[str, int], options: argparse.Namespace
) -> Row:
    with dashboard(site, "serve") as running:
        return asyncio.run(_both(running.port, page, ids[page.body], options))


async def _both(
    port: int, page: Page, webhook_id: int, options: argparse.Namespace
) -> Row:
    url = f"http://127.0.0.1:{port}"
    [cookie] = await asyncio.to_thread(
        lambda: asyncio.run(_sign_in(url, ["person0@example.com"]))
    )
    page_s: list[float] = []
    opening = asyncio.create_task(_open(url, cookie, page, webhook_id, page_s))
    timeout = aiohttp.ClientTimeout(total=options.most)
    async with aiohttp.ClientSession(url, timeout=timeout) as session:
        began, number = perf_counter(), 0
        asked = []
        while perf_counter() < began + options.seconds:
            asked.append(asyncio.create_task(_ask(session, number)))
            number += 1
            await asyncio.sleep(began + number / options.rate - perf_counter())
        answers = await asyncio.gather(*asked)
    if not opening.done():
        opening.cancel()
    with suppress(asyncio.CancelledError):
        await opening
    return Row(page_s=page_s, answers_s=answers)


async def _ask(session: aiohttp.ClientSession, number: int) -> float | None:
    body = json.dumps({"event": "meeting.created", "event_ts": number}).encode()
    began = perf_counter()
    try:
        async with session.post(_DOOR, **_signed(body)) as answer:
            await answer.read()
            answer.raise_for_status()
    except (TimeoutError, aiohttp.ClientError):
        return None
    return perf_counter() - began


async def _open(
    url: str, cookie: str, page: Page, webhook_id: int, took: list[float]
) -> None:
    if not page.path:
        return
    timeout = aiohttp.ClientTimeout(total=None)
    jar = aiohttp.CookieJar(unsafe=True)  # which takes them from an IP address
    jar.update_cookies(SimpleCookie(cookie), URL(url))
    async with aiohttp.ClientSession(
        url, headers={"Referer": url}, cookie_jar=jar, timeout=timeout
    ) as session:
        token = ""
        if page.form is not None:
            async with session.get("/explain/") as form:  # any form of the session
                found = _TOKEN.search(await form.text())
                token = found[1] if found else ""
        path = page.path.format(id=webhook_id)
        while True:
            began = perf_counter()
            if page.form is None:
                answer = session.get(path)
            else:
                fields = {**page.form, "csrf_token": token}
                answer = session.post(path, data=fields)
            async with answer as read:
                text = await read.text()
            if read.status not in (200, 422) or read.history:
                raise BenchmarkError(f"{path}: {read.status} {text[-500:]}")
            took.append(perf_counter() - began)


def _table(head: list[str], rows: list[list[str]]) -> str:
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        f"| {' | '.join(cell.ljust(w) for cell, w in zip(line, widths, strict=True))} |"
        for line in lines
    )


if __name__ == "__main__":
    main()
