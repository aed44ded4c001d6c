"""Cost of a flood of forged requests, and whether genuine events get through.

Starts `dashboard serve` on a free port with a fresh folder (SQLite, full fsync), adds
one zoom app, and sends forged requests over keep-alive connections, of four kinds: a
wrong signature, a malformed one, none, and a changed body. Meanwhile genuine signed
events are sent to the same URL at a steady rate. At the end it counts in the database
how many forged requests were counted and stored, compared with the sample's limit, and
how many genuine events were answered 200 and stored. It asserts no times.

    python benchmarks/flood.py [--forged 100000] [--clients 16] [--genuine-a-second 50]
"""

import argparse
import asyncio
import contextlib
import hmac
import itertools
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

SECRET = "flood-secret-token-0001"
SAMPLE = 500
STARTS_WITHIN_S = 60
PADDING = "x" * 1200  # an event of about 1.4 KB


@dataclass(kw_only=True)
class Tally:
    """What was sent and answered; latencies in seconds."""

    forged: Counter[int] = field(default_factory=Counter)
    genuine: Counter[int] = field(default_factory=Counter)
    waits_s: list[float] = field(default_factory=list)
    broken: int = 0


def event(number: int) -> bytes:
    """Return an event as Zoom spells it; each number is another event."""
    envelope = {
        "event": "meeting.created",
        "event_ts": number,
        "payload": {"account_id": "AbC", "object": {"id": number, "topic": PADDING}},
    }
    return json.dumps(envelope, separators=(",", ":")).encode()


def headers(body: bytes, *, secret: str = SECRET) -> dict[str, str]:
    """Return the headers of a request that is signed now."""
    timestamp = str(int(time.time()))  # noqa: TID251 - what Zoom's clock says
    message = f"v0:{timestamp}:".encode() + body
    signature = hmac.digest(secret.encode(), message, "sha256").hex()
    return {
        "content-type": "application/json; charset=utf-8",
        "x-zm-request-timestamp": timestamp,
        "x-zm-signature": f"v0={signature}",
    }


def forgery(number: int) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of one of four sorts of forgery."""
    body = event(-number)
    match number % 4:
        case 0:
            return body, headers(body, secret="a stranger's")
        case 1:
            return body, headers(body) | {"x-zm-signature": "v0=nothing"}
        case 2:
            return body, {"content-type": "application/json"}
        case _:
            return body + b" ", headers(body)


async def flood(
    url: str, tally: Tally, numbers: Iterator[int], session: aiohttp.ClientSession
) -> None:
    """Send forgeries, one after the other, until none is left."""
    for number in numbers:
        body, sent = forgery(number)
        try:
            async with session.post(url, data=body, headers=sent) as answer:
                tally.forged[answer.status] += 1
        except aiohttp.ClientError:
            tally.broken += 1


async def trickle(
    url: str,
    tally: Tally,
    a_second: float,
    session: aiohttp.ClientSession,
    is_over: asyncio.Event,
) -> None:
    """Send genuine events at a steady rate, whatever the answers take."""
    tasks: set[asyncio.Task[None]] = set()

    async def send(number: int) -> None:
        body = event(number)
        began = time.perf_counter()
        try:
            async with session.post(url, data=body, headers=headers(body)) as answer:
                await answer.read()
                tally.genuine[answer.status] += 1
        except aiohttp.ClientError:
            tally.genuine[0] += 1
        tally.waits_s.append(time.perf_counter() - began)

    for number in itertools.count(1):
        if is_over.is_set():
            break
        task = asyncio.create_task(send(number))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        await asyncio.sleep(1 / a_second)
    await asyncio.gather(*tasks)


async def drive(url: str, *, forged: int, clients: int, a_second: float) -> Tally:
    """Send everything; return what was answered."""
    tally, is_over, numbers = Tally(), asyncio.Event(), iter(range(1, forged + 1))
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        genuine = asyncio.create_task(trickle(url, tally, a_second, session, is_over))
        await asyncio.gather(
            *(flood(url, tally, numbers, session) for _ in range(clients))
        )
        is_over.set()
        await genuine
    return tally


def environment(folder: Path) -> dict[str, str]:
    """Return a child's environment: this one's, with settings of its own."""
    # Nothing real may be called: the pair is not checked, nothing is forwarded.
    nowhere = "http://127.0.0.1:9"
    return dict(os.environ) | {  # noqa: TID251 - a child's environment
        "DASHBOARD_INSTANCE_DIR": str(folder),
        "DASHBOARD_REFUSED_SAMPLE": str(SAMPLE),
        "DASHBOARD_ZOOM_URL": nowhere,
        "DASHBOARD_ZOOM_API_URL": nowhere,
        "DASHBOARD_RECALL_URL": nowhere,
    }


def dashboard(folder: Path, *arguments: str) -> str:
    """Run one command to its end; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "dashboard.cli", *arguments],
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{arguments[0]} failed: {done.stderr}")
    return done.stdout


def add_zoom_app(folder: Path) -> str:
    """Make the tables and one zoom app; return the path Zoom posts to."""
    secret_file, token_file = folder / "client_secret", folder / "secret_token"
    secret_file.write_text("flood-client-secret-0001")
    token_file.write_text(SECRET)
    dashboard(folder, "db", "upgrade")
    made = dashboard(
        folder,
        *("zoom-app", "add", "--name", "Flood", "--environment", "development"),
        *("--kind", "user_level", "--client-id", "simC000000000000000001"),
        *("--client-secret-file", str(secret_file)),
        *("--secret-token-file", str(token_file), "--json"),
    )
    return f"/hooks/zoom/{json.loads(made)['id']}"


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Run `dashboard serve` on a free port; yield its URL, and stop it."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    command = [sys.executable, "-m", "dashboard.cli", "serve", "--port", str(port)]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, env=environment(folder), stderr=log) as process,
    ):
        try:
            wait_until_up(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)


def wait_until_up(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Return when the port answers."""
    for _ in range(STARTS_WITHIN_S * 10):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    sys.exit("`dashboard serve` did not start.")


def size_bytes(folder: Path) -> int:
    """Return the size of the database with its write-ahead log."""
    return sum(each.stat().st_size for each in folder.glob("dashboard.db*"))


def asked(folder: Path, query: str) -> int:
    """Return the one number that a query gives."""
    with contextlib.closing(sqlite3.connect(folder / "dashboard.db")) as database:
        return int(database.execute(query).fetchone()[0] or 0)


def report(folder: Path, tally: Tally, *, before: int, took_s: float) -> bool:
    """Print the balance; return whether it is right."""
    forged, genuine = sum(tally.forged.values()), sum(tally.genuine.values())
    kept = asked(folder, "SELECT count(*) FROM refusal")
    counted = asked(folder, "SELECT sum(requests) FROM refusal_count")
    stored = asked(folder, "SELECT count(*) FROM webhook")
    bodies = asked(
        folder, "SELECT sum(length(body) + length(headers)) FROM webhook_body"
    )
    waits = sorted(tally.waits_s)
    rows = [
        ("forged sent", f"{forged:,} in {took_s:.0f} s, {forged / took_s:,.0f}/s"),
        ("forged answered", dict(sorted(tally.forged.items()))),
        ("connections broken", tally.broken),
        ("forged counted", f"{counted:,}"),
        ("sample kept, its bound", f"{kept:,}, {SAMPLE:,}"),
        ("genuine sent", f"{genuine:,}"),
        ("genuine answered", dict(sorted(tally.genuine.items()))),
        ("genuine stored", f"{stored:,}"),
        (
            "genuine waited, p50 and p99",
            " and ".join(
                f"{waits[len(waits) * part // 100]:.3f} s" for part in (50, 99)
            ),
        ),
        ("database before, after", f"{before:,} and {size_bytes(folder):,} bytes"),
        ("of it genuine bodies", f"{bodies:,} bytes"),
        ("log", f"{(folder / 'log').stat().st_size:,} bytes"),
    ]
    for label, value in rows:
        print(f"{label:<28} {value}")
    return (
        set(tally.forged) == {401}
        and counted == forged
        and kept <= SAMPLE
        and tally.genuine == {200: genuine}
        and stored == genuine
    )


def main() -> None:
    """Run it once in a temporary folder; end with 1 when the balance is wrong."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--forged", type=int, default=100_000)
    options.add_argument("--clients", type=int, default=16)
    options.add_argument("--genuine-a-second", type=float, default=50)
    chosen = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="flood-"))
    try:
        path = add_zoom_app(folder)
        with serving(folder) as url:
            before = size_bytes(folder)
            began = time.perf_counter()
            tally = asyncio.run(
                drive(
                    url + path,
                    forged=chosen.forged,
                    clients=chosen.clients,
                    a_second=chosen.genuine_a_second,
                )
            )
            took_s = time.perf_counter() - began
        is_right = report(folder, tally, before=before, took_s=took_s)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("Balance: right" if is_right else "Balance: WRONG")
    sys.exit(0 if is_right else 1)


if __name__ == "__main__":
    main()
