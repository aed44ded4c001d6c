"""Load: signed events as Zoom sends them, wrk to send them, and a backlog of them."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any
from wsgiref.types import WSGIApplication, WSGIEnvironment

from benchmarks.sites import APP_ID, SECRET_TOKEN, BenchmarkError, Site
from dashboard.app import create_app
from dashboard.clock import Clock
from dashboard.services.receiver.signatures import sign, signed_bytes

BODY_BYTES = 1500
_ADDRESS = f"/hooks/zoom/{APP_ID}"
_SCRIPT = Path(__file__).with_name("replay.lua")
_NO_WRK = "wrk is missing. On Debian: apt-get install wrk"
# Digits are as many in each event, so that all requests have one length.
_FIRST_MEETING = 90_000_000_000
_USERS = 1000
_BACKLOG_THREADS = 64
_BACKLOG_CHUNK = 4096
_SWITCH_INTERVAL_S = 0.0005
_EVENT = (
    '{"event":"meeting.created","event_ts":%(event_ts)d,"payload":{'
    '"account_id":"AbCdEfGhIjKlMnOpQrStUv","operator":"user%(user)04d@example.com",'
    '"operator_id":"zUsEr%(user)04dAAAAAAAAAAAAA","operation":"single","object":{'
    '"uuid":"%(number)010dAAAiAiAiiAii==","id":%(meeting)d,'
    '"host_id":"zUsEr%(user)04dAAAAAAAAAAAAA","topic":"Weekly with %(user)04d",'
    '"type":2,"start_time":"2026-11-27T09:00:00Z","duration":30,'
    '"timezone":"Europe/Warsaw",'
    '"join_url":"https://example.zoom.us/j/%(meeting)d?pwd=abcdefghijklmnop",'
    '"password":"abc123","agenda":"","settings":{"use_pmi":false,'
    '"alternative_hosts":"","join_before_host":false,"jbh_time":0,'
    '"meeting_invitees":[%(invitees)s]}}}}'
)
_INVITEE = '{"email":"guest.number.%02d@partner.example.com"}'
_REQUEST = (
    "POST %s HTTP/1.1\r\nHost: dashboard.example.com\r\n"
    "User-Agent: Zoom Marketplace/1.0a\r\n"
    "Content-Type: application/json; charset=utf-8\r\n"
    "Content-Length: %d\r\nAccept-Encoding: gzip\r\n"
    "x-zm-request-timestamp: %s\r\nx-zm-signature: %s\r\n"
    "x-zm-request-id: 7f1f3c1a_5f7a_4d0c_9a55_%012d\r\n"
    "clientid: bEnChMaRkClIeNtId0001\r\n"
    "traceparent: 00-4bf92f3577b34da6a3ce%012d-00f067aa0ba902b7-01\r\n\r\n"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One signed event.

    Attributes:
        timestamp: `x-zm-request-timestamp`; `signature`: `x-zm-signature`.
    """

    body: bytes
    timestamp: str
    signature: str


@dataclass(frozen=True, kw_only=True)
class Requests:
    """A file of requests of one length, behind each other, all distinct."""

    path: Path
    length: int
    count: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What wrk saw.

    Attributes:
        requests: Answered within `seconds`.
        refused: Of these, other than 200.
        broken: Connections that failed or answers that never came.
        again: How often the file was started again, so that events repeated.
        max_ms: The longest any answer took; all from sending to the whole answer.
        silence_ms: The longest time in which half of the clients or more got no answer:
            what is still unanswered at the end of a run is in no other figure.
    """

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    silence_ms: float
    sent: int
    again: int
    refused: int
    broken: int

    @property
    def rate(self) -> float:
        """Requests answered a second."""
        return self.requests / self.seconds

    @property
    def worst_ms(self) -> float:
        """The longest wait that is known of."""
        return max(self.max_ms, self.silence_ms)

    @property
    def errors(self) -> str:
        """What spoils the figures; "" when nothing does."""
        found = [
            f"{number} {what}"
            for number, what in (
                (self.refused, "not answered 200"),
                (self.broken, "broken"),
            )
            if number
        ]
        return ", ".join(found)


def events(count: int, first: int = 0) -> Iterator[Event]:
    """Give `count` events of `BODY_BYTES`, signed now; no two are alike."""
    event_ts = Clock().now().timestamp()
    timestamp = str(int(event_ts))
    invitees, room = _invitees()
    for number in range(first, first + count):
        values = {
            "event_ts": int(event_ts * 1000) + number % 1000,
            "user": number % _USERS,
            "number": number,
            "meeting": _FIRST_MEETING + number,
            "invitees": invitees,
        }
        text = (_EVENT % values).replace('"agenda":""', f'"agenda":"{room}"')
        body = text.encode()
        signature = sign(signed_bytes(timestamp, body), SECRET_TOKEN).decode()
        yield Event(body=body, timestamp=timestamp, signature=signature)


def write(path: Path, count: int, *, first: int = 0) -> Requests:
    """Write a file of requests for `run`."""
    length = 0
    with path.open("wb") as file:
        for number, event in enumerate(events(count, first)):
            head = _REQUEST % (
                _ADDRESS,
                len(event.body),
                event.timestamp,
                event.signature,
                number,
                number,
            )
            request = head.encode() + event.body
            if length not in (0, len(request)):
                raise BenchmarkError("The requests differ in length.")
            length = len(request)
            file.write(request)
    return Requests(path=path, length=length, count=count)


def run(port: int, requests: Requests, *, clients: int, seconds: int) -> Outcome:
    """Send as fast as the answers come, over so many kept connections.

    Raises:
        StageError: wrk is missing or failed.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise BenchmarkError(_NO_WRK)
    threads = min(2, clients)
    done = subprocess.run(
        [
            *(wrk, f"-t{threads}", f"-c{clients}", f"-d{seconds}s", "--timeout=20s"),
            *("-s", str(_SCRIPT), f"http://127.0.0.1:{port}", "--"),
            *(str(requests.path), str(requests.length), str(requests.count)),
            str(threads),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    line = next((x for x in done.stdout.splitlines() if x.startswith("{")), None)
    if line is None:
        raise BenchmarkError(
            f"wrk failed: {done.stderr.strip() or done.stdout.strip()}"
        )
    return Outcome(**json.loads(line))


def _invitees() -> tuple[str, str]:
    """Return guests, and letters for the agenda, that fill a body to its size."""
    empty = {"event_ts": 10**12, "user": 0, "number": 0, "meeting": 10**10}
    missing = BODY_BYTES - len(_EVENT % {**empty, "invitees": ""})
    one = len(_INVITEE % 0) + 1
    number = missing // one - 1
    guests = ",".join(_INVITEE % each for each in range(number))
    agenda = "Numbers, plans and open questions. " * 9
    return guests, agenda[: missing - len(guests)]


def fill_backlog(site: Site, count: int, *, first: int = 0) -> None:
    """Receive `count` distinct events without delivering them.

    Raises:
        StageError: One was refused.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    try:
        with site.runtime() as runtime, ThreadPoolExecutor(_BACKLOG_THREADS) as threads:
            receiver = create_app(runtime).wsgi_app
            waiting = events(count, first)
            while some := list(islice(waiting, _BACKLOG_CHUNK)):
                for status in threads.map(lambda each: _post(receiver, each), some):
                    if not status.startswith("200 "):
                        raise BenchmarkError(f"The receiver answered {status}.")
    finally:
        sys.setswitchinterval(usual)


def _post(receiver: WSGIApplication, event: Event) -> str:
    answered: list[str] = []

    def start_response(
        status: str,
        _headers: list[tuple[str, str]],
        _error: Any = None,  # noqa: ANN401 - as WSGI has it
        /,
    ) -> Any:  # noqa: ANN401 - as WSGI has it
        answered.append(status)

    body: Iterable[bytes] = receiver(_environ(event), start_response)
    for _ in body:
        pass
    return answered[0]


def _environ(event: Event) -> WSGIEnvironment:
    path = f"/hooks/zoom/{APP_ID}"
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": "application/json; charset=utf-8",
        "CONTENT_LENGTH": str(len(event.body)),
        "HTTP_HOST": "dashboard.example.com",
        "HTTP_USER_AGENT": "Zoom Marketplace/1.0a",
        "HTTP_CLIENTID": "bEnChMaRkClIeNtId0001",
        "HTTP_X_ZM_REQUEST_TIMESTAMP": event.timestamp,
        "HTTP_X_ZM_SIGNATURE": event.signature,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(event.body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
