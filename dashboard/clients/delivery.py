"""Posts webhooks to Recall as Zoom wrote them, many at once over open connections.

aiohttp, because a POST costs it a fifth of httpx2's processor time.
"""

import asyncio
import ipaddress
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

import aiohttp

from dashboard.clients.http.tls import context

PASSED_ON = frozenset(
    {
        "x-zm-request-timestamp",
        "x-zm-signature",
        "content-type",
        "clientid",
        "x-zm-trackingid",
        "x-zm-request-id",
    }
)
"""The only headers of Zoom's that reach Recall (docs/contracts/zoom.md 5.8)."""

_USER_AGENT = "zoom-recall-dashboard"
# Each further limit is a timer of its own for every request: a tenth of its cost.
_TIMEOUT = aiohttp.ClientTimeout(total=15, sock_connect=5)
_SUCCESS = range(200, 300)
_ANSWER_BYTES = 16 * 1024
_PRINTABLE = re.compile(r"[\x20-\x7e]*")


class Failure(StrEnum):
    """Why there is no answer, or no whole one."""

    TIMEOUT = "timeout"
    DNS = "dns"
    TLS = "tls"
    REFUSED = "refused"
    BROKEN = "broken"
    ADDRESS = "address"  # the URL itself cannot be used
    SEALED = "sealed"  # our own: the bytes could not be decrypted


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """Recall's answer.

    Attributes:
        status: None when there was no answer.
        headers: Names lower case; of a success only its content type.
        body: Its first 16 KiB.
        latency_ms: From sending to the end of what was read, in milliseconds.
        failure: None when the answer is whole.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    latency_ms: float = 0.0
    failure: Failure | None = None


def open_session(base_url: str | None) -> aiohttp.ClientSession:
    """Open a session in the running loop; close it there.

    Stores no cookie. A proxy named in the environment is used, except for a simulator
    on this machine.

    Args:
        base_url: The one host of every delivery, or None for Recall's own.
    """
    trust_env = base_url is None or not _is_this_machine(base_url)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0,  # the worker has its own bounds
            ssl=context(trust_env=trust_env),
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=_TIMEOUT,
        headers={"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"},
        skip_auto_headers=["Content-Type"],
        auto_decompress=False,
        trust_env=trust_env,
    )


async def post(
    session: aiohttp.ClientSession,
    url: str,
    *,
    body: bytes,
    headers: Iterable[tuple[str, str]],
) -> Answer:
    """Post the bytes untouched, with the headers of Zoom that are passed on.

    Never raises: whatever goes wrong is an `Answer` with its `failure`.
    """
    began = time.perf_counter()
    status: int | None = None
    answer: bytes = b""
    answered: dict[str, str] = {}
    failure: Failure | None = None
    try:
        async with session.post(
            url, data=body, headers=passed_on(headers), allow_redirects=False
        ) as response:
            status = response.status
            if status not in _SUCCESS:
                answered = {k.lower(): v for k, v in response.headers.items()}
            elif (kind := response.headers.get("Content-Type")) is not None:
                answered = {"content-type": kind}
            answer = await _head(response.content)
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
        failure = _failure(error)
    return Answer(
        status=status,
        headers=answered,
        body=answer,
        latency_ms=round((time.perf_counter() - began) * 1000, 1),
        failure=failure,
    )


def passed_on(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return those of Zoom's headers that Recall gets, unchanged.

    A header with anything but printable ASCII is left out: it can't be sent unchanged.
    """
    return {
        name: value
        for name, value in headers
        if name in PASSED_ON and _PRINTABLE.fullmatch(value)
    }


async def _head(content: aiohttp.StreamReader) -> bytes:
    parts: list[bytes] = []
    wanted = _ANSWER_BYTES
    while wanted > 0 and (part := await content.read(wanted)):
        parts.append(part)
        wanted -= len(part)
    return b"".join(parts)


def _failure(error: Exception) -> Failure:
    match error:
        case TimeoutError() | asyncio.TimeoutError():
            return Failure.TIMEOUT
        case aiohttp.ClientConnectorDNSError():
            return Failure.DNS
        case aiohttp.ClientSSLError():
            return Failure.TLS
        case aiohttp.ClientConnectorError():
            return Failure.REFUSED
        case aiohttp.InvalidURL() | ValueError():
            return Failure.ADDRESS
        case _:
            return Failure.BROKEN


def _is_this_machine(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
