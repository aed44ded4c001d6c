"""Requests to our own public address, as it looks from outside: what comes back.

Never raises: whatever goes wrong on the way is what it is asked for. No exception of
the HTTP library leaves this module.
"""

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import httpx2

from dashboard.clients.http.client import make_http
from dashboard.clients.http.error_bodies import is_page
from dashboard.clients.http.public_only import (
    PrivateAddressError,
    PublicOnly,
    has_proxy,
)

LIMIT_S = 3.0
"""Zoom waits no longer (docs/contracts/zoom.md 5.5, checked 2026-11-23)."""

_MOST_BYTES = 64 * 1024
_CONNECTED = ("connect_tcp.complete", "connect_unix_socket.complete")


class NoAnswer(StrEnum):
    """Why there is no answer."""

    NO_NAME = "no_name"  # the host is not in DNS
    NO_LOOK_UP = "no_look_up"  # our own name server does not answer
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    NO_CONNECTION = "no_connection"  # in time
    TOO_SLOW = "too_slow"
    BROKEN_OFF = "broken_off"
    TOO_LONG = "too_long"
    CHAIN = "chain"  # incomplete, or from an unknown authority
    SELF_SIGNED = "self_signed"
    EXPIRED = "expired"
    NOT_YET = "not_yet"
    OTHER_NAME = "other_name"
    OLD_TLS = "old_tls"
    NO_TLS = "no_tls"  # another protocol answers at that port
    BAD_TLS = "bad_tls"
    PRIVATE = "private"  # the address is not a public one; nothing was sent
    WAY_OUT = "way_out"  # the proxy that this server goes out by
    ADDRESS = "address"  # nothing that can be called


# OpenSSL's X509_V_ERR_*, https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/,
# checked 2026-11-23.
_CERTIFICATE = {
    9: NoAnswer.NOT_YET,
    10: NoAnswer.EXPIRED,
    18: NoAnswer.SELF_SIGNED,
    19: NoAnswer.SELF_SIGNED,
    20: NoAnswer.CHAIN,
    21: NoAnswer.CHAIN,
    62: NoAnswer.OTHER_NAME,
    64: NoAnswer.OTHER_NAME,
}
_HANDSHAKE = {
    "UNSUPPORTED_PROTOCOL": NoAnswer.OLD_TLS,
    "TLSV1_ALERT_PROTOCOL_VERSION": NoAnswer.OLD_TLS,
    "NO_PROTOCOLS_AVAILABLE": NoAnswer.OLD_TLS,
    "WRONG_VERSION_NUMBER": NoAnswer.NO_TLS,
    "HTTP_REQUEST": NoAnswer.NO_TLS,
    "PACKET_LENGTH_TOO_LONG": NoAnswer.NO_TLS,
    "RECORD_LAYER_FAILURE": NoAnswer.NO_TLS,
}
# The first that fits counts.
_BY_KIND: tuple[tuple[type[BaseException], NoAnswer], ...] = (
    (ConnectionRefusedError, NoAnswer.REFUSED),
    (httpx2.ProxyError, NoAnswer.WAY_OUT),
    (httpx2.ConnectTimeout, NoAnswer.NO_CONNECTION),
    (httpx2.TimeoutException, NoAnswer.TOO_SLOW),
    (httpx2.ConnectError, NoAnswer.UNREACHABLE),
    (httpx2.UnsupportedProtocol, NoAnswer.ADDRESS),
    (httpx2.LocalProtocolError, NoAnswer.ADDRESS),
    (httpx2.InvalidURL, NoAnswer.ADDRESS),
)


_CONNECTING = {
    NoAnswer.NO_NAME,
    NoAnswer.NO_LOOK_UP,
    NoAnswer.REFUSED,
    NoAnswer.UNREACHABLE,
    NoAnswer.NO_CONNECTION,
}


@dataclass(frozen=True, kw_only=True)
class PublicUrlAnswer:
    """What came back.

    Attributes:
        took_ms: From the first look-up to the end of the answer, in milliseconds.
        no_answer: Why there is no answer; None when there is one.
        status: 0 without an answer.
        headers: Names lower case.
        body: Of the answer.
    """

    took_ms: float
    no_answer: NoAnswer | None = None
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def is_page(self) -> bool:
        """Whether it is HTML, whatever it claims."""
        return is_page(self.body, self.headers.get("content-type", ""))


def challenge(  # noqa: PLR0913 - the parts of one request, all named
    url: str,
    *,
    body: bytes,
    timestamp: str,
    signature: str,
    user_agent: str,
    limit_s: float = LIMIT_S,
    tls: ssl.SSLContext | None = None,
) -> PublicUrlAnswer:
    """Post a signed challenge as Zoom does: no redirect is followed, TLS is verified.

    Returns within the limit whatever happens, look-up of the name included.

    Args:
        url: Our own public webhook URL.
        body: Raw request bytes, as signed.
        timestamp: `x-zm-request-timestamp`.
        signature: `x-zm-signature`.
        user_agent: Printable ASCII.
        limit_s: For all of it, in seconds.
        tls: Which authorities to believe; those of the operating system by default.
    """
    call = _Call(url, limit_s)
    try:
        http = make_http(url, timeout_s=limit_s, tls=tls)
        request = http.build_request(
            "POST",
            url,
            content=body,
            headers={
                "User-Agent": user_agent,
                "Content-Type": "application/json; charset=utf-8",
                "x-zm-request-timestamp": timestamp,
                "x-zm-signature": signature,
            },
            extensions={"trace": call.note},
        )
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol):
        return PublicUrlAnswer(took_ms=0.0, no_answer=NoAnswer.ADDRESS)
    return call.made(http, request)


def fetch(url: str, *, limit_s: float = LIMIT_S) -> PublicUrlAnswer:
    """Get one of our own public pages as a stranger; no redirect is followed.

    Returns within the limit whatever happens, look-up of the name included.
    """
    call = _Call(url, limit_s)
    try:
        http = make_http(url, timeout_s=limit_s)
        headers = {"Accept": "text/html"}
        request = http.build_request(
            "GET", url, headers=headers, extensions={"trace": call.note}
        )
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol):
        return PublicUrlAnswer(took_ms=0.0, no_answer=NoAnswer.ADDRESS)
    return call.made(http, request)


def call(url: str, *, limit_s: float, is_private_allowed: bool) -> PublicUrlAnswer:
    """Get an address of the customer's as Recall does; no redirect is followed.

    Returns within the limit whatever happens, look-up of the name included. Nothing is
    sent to an address that is not public, whatever its name says.

    Args:
        url: Holds a secret: it is in no exception and no log.
        limit_s: For all of it, in seconds.
        is_private_allowed: For trials on one machine.
    """
    made = _Call(url, limit_s)
    try:
        public_only = None if is_private_allowed else PublicOnly()
        http = make_http(url, timeout_s=limit_s, public_only=public_only)
        headers = {"Accept": "*/*"}
        request = http.build_request(
            "GET", url, headers=headers, extensions={"trace": made.note}
        )
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, ValueError):
        return PublicUrlAnswer(took_ms=0.0, no_answer=NoAnswer.ADDRESS)
    return made.made(http, request)


class _Call:
    """One request in a thread of its own: a look-up of a name cannot be given up."""

    def __init__(self, url: str, limit_s: float) -> None:
        self._url = url
        self._limit_s = limit_s
        self._began_s = time.perf_counter()
        self._is_connected = False
        self._done = threading.Event()
        self._answer: PublicUrlAnswer | None = None

    def note(self, step: str, _: Mapping[str, object]) -> None:
        """Hear from the HTTP library how far it is."""
        if step.endswith(_CONNECTED):
            self._is_connected = True

    def made(self, http: httpx2.Client, request: httpx2.Request) -> PublicUrlAnswer:
        """Make it; give up at the limit."""
        thread = threading.Thread(
            target=self._run, args=(http, request), name="own-challenge", daemon=True
        )
        thread.start()
        if self._done.wait(self._limit_s) and self._answer is not None:
            return self._answer
        http.close()  # so that the thread ends as well
        if self._is_connected:
            return self._without(NoAnswer.TOO_SLOW)
        return self._without(self._before(NoAnswer.NO_CONNECTION, http))

    def _run(self, http: httpx2.Client, request: httpx2.Request) -> None:
        try:
            with http:
                self._answer = self._asked(http, request)
        except Exception as error:  # noqa: BLE001 - closed at the limit it may raise anything, and who waits needs an answer
            self._answer = self._without(self._before(_trouble(error), http))
        finally:
            self._done.set()

    def _asked(self, http: httpx2.Client, request: httpx2.Request) -> PublicUrlAnswer:
        response = http.send(request, stream=True)
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > _MOST_BYTES:
                return self._without(NoAnswer.TOO_LONG)
        return PublicUrlAnswer(
            took_ms=self._took_ms(),
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=bytes(body),
        )

    def _before(self, no_answer: NoAnswer, http: httpx2.Client) -> NoAnswer:
        """Tell what is wrong with the way out from what is wrong with the address."""
        is_ours = not self._is_connected and http.trust_env and has_proxy(self._url)
        return NoAnswer.WAY_OUT if is_ours and no_answer in _CONNECTING else no_answer

    def _without(self, no_answer: NoAnswer) -> PublicUrlAnswer:
        return PublicUrlAnswer(took_ms=self._took_ms(), no_answer=no_answer)

    def _took_ms(self) -> float:
        return round((time.perf_counter() - self._began_s) * 1000, 1)


def _trouble(error: BaseException) -> NoAnswer:
    chain = list(_causes(error))
    for each in chain:
        if isinstance(each, PrivateAddressError):
            return NoAnswer.PRIVATE
        if isinstance(each, ssl.SSLCertVerificationError):
            return _CERTIFICATE.get(each.verify_code, NoAnswer.BAD_TLS)
        if isinstance(each, ssl.SSLError):
            return _HANDSHAKE.get(each.reason or "", NoAnswer.BAD_TLS)
        if isinstance(each, socket.gaierror):
            is_down = each.errno == socket.EAI_AGAIN
            return NoAnswer.NO_LOOK_UP if is_down else NoAnswer.NO_NAME
    for kind, no_answer in _BY_KIND:
        if any(isinstance(each, kind) for each in chain):
            return no_answer
    return NoAnswer.BROKEN_OFF


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
