"""Posts webhooks to Recall as Zoom wrote them, many at once over open connections.

Also to addresses that people enter, where `Endpoints` checks who is connected to.
aiohttp, because a POST costs it a fifth of httpx2's processor time.
"""

import ipaddress
import re
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver

from dashboard.clients.http.public_only import (
    AddressInfo,
    PrivateAddressError,
    has_proxy,
    open_socket,
    require_public,
    url_problem,
)
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
    PRIVATE = "private"  # the address is not a public one; nothing was sent
    BROKEN = "broken"
    ADDRESS = "address"  # the URL itself cannot be used
    SEALED = "sealed"  # our own: the bytes could not be decrypted


# The first that fits counts.
_FAILURES: tuple[tuple[type[Exception], Failure], ...] = (
    (TimeoutError, Failure.TIMEOUT),
    (aiohttp.ClientConnectorDNSError, Failure.DNS),
    (aiohttp.ClientSSLError, Failure.TLS),
    (aiohttp.ClientConnectorError, Failure.REFUSED),
    (aiohttp.InvalidURL, Failure.ADDRESS),
    (ValueError, Failure.ADDRESS),
)


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
    return _session(trust_env=trust_env)


def _session(
    *,
    trust_env: bool,
    socket_factory: Callable[[AddressInfo], socket.socket] | None = None,
    resolver: AbstractResolver | None = None,
) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0,  # the worker has its own bounds
            ssl=context(trust_env=trust_env),
            socket_factory=socket_factory,
            resolver=resolver,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=_TIMEOUT,
        headers={"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"},
        skip_auto_headers=["Content-Type"],
        auto_decompress=False,
        trust_env=trust_env,
    )


class Endpoints:
    """Posts to addresses that people entered, over connections of its own.

    To be used as a context manager in the running loop.

    Args:
        is_private_allowed: For trials on one machine.
        resolver: Stands in for the name server.
    """

    def __init__(
        self, *, is_private_allowed: bool, resolver: AbstractResolver | None = None
    ) -> None:
        self._is_private_allowed = is_private_allowed
        self._direct = _session(
            trust_env=False,
            socket_factory=None if is_private_allowed else open_socket,
            resolver=resolver,
        )
        self._by_proxy = _session(trust_env=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._direct.close()
        await self._by_proxy.close()

    async def post(
        self, url: str, *, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        """Post once, to a public address; never raises, as `post`."""
        if url_problem(url, is_private_allowed=self._is_private_allowed):
            return Answer(failure=Failure.PRIVATE)
        if not has_proxy(url):
            return await post(self._direct, url, body=body, headers=headers)
        try:
            if not self._is_private_allowed:
                await require_public(url)
        except PrivateAddressError:
            return Answer(failure=Failure.PRIVATE)
        return await post(self._by_proxy, url, body=body, headers=headers)


async def post(
    session: aiohttp.ClientSession,
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
) -> Answer:
    """Post the bytes untouched, with these headers; no redirect is followed.

    Never raises: whatever goes wrong is an `Answer` with its `failure`.
    """
    began = time.perf_counter()
    status: int | None = None
    answer: bytes = b""
    answered: dict[str, str] = {}
    failure: Failure | None = None
    try:
        async with session.post(
            url, data=body, headers=headers, allow_redirects=False
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
    if isinstance(getattr(error, "os_error", None), PrivateAddressError):
        return Failure.PRIVATE
    return next(
        (failure for kind, failure in _FAILURES if isinstance(error, kind)),
        Failure.BROKEN,
    )


def _is_this_machine(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
