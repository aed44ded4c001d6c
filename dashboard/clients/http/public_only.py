"""Requests to addresses that people enter: only to public ones, checked on connecting.

What is checked is the very address that the socket is opened to, so a name that
resolves to another one a moment later gains nothing. Where the environment names a
proxy, the proxy connects: the name is checked here first as well as it can be.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore2
import httpx2

from dashboard.settings import public_url_trouble

LONGEST_URL = 2000

_HTTPS_PORT = 443
_PRIVATE = (
    "The URL leads to a private address. To allow that, an operator sets "
    "DASHBOARD_ALLOW_PRIVATE_ENDPOINTS."
)
# What Python of every version calls global and is none, or leads to IPv4 addresses:
# https://www.iana.org/assignments/iana-ipv4-special-registry and
# iana-ipv6-special-registry, checked 2026-11-30.
_NOT_PUBLIC_V4 = tuple(
    ipaddress.IPv4Network(each) for each in ("192.0.0.0/24", "192.88.99.0/24")
)
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(
    ipaddress.IPv6Network(each)
    for each in (
        "2001::/23",  # Teredo, ORCHID, benchmarks
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)

AddressInfo = tuple[Any, Any, int, str, tuple[Any, ...]]
"""As `socket.getaddrinfo` returns them: family, type, protocol, name, address."""

Resolve = Callable[[str, int], Iterable[AddressInfo]]


class PrivateAddressError(OSError):
    """The connection would have led to an address that is not public."""

    def __init__(self) -> None:
        super().__init__("The address is not a public one; nothing was sent.")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, for one receiver alone.

    IPv4 addresses inside IPv6 ones (mapped, NAT64, 6to4, Teredo) are none.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:  # with a zone: link-local
        return False
    if found.is_multicast or found.is_reserved or not found.is_global:
        return False
    if isinstance(found, ipaddress.IPv4Address):
        return not any(found in each for each in _NOT_PUBLIC_V4)
    return found in _GLOBAL_V6 and not any(found in each for each in _NOT_PUBLIC_V6)


def url_problem(url: str, *, is_private_allowed: bool) -> str:
    """Say why nothing could be posted to this URL, or "" if something could.

    Asks no name server: names are checked whenever a connection is opened.
    """
    parts = _parts(url)
    if parts is None:
        return "This is not a URL: it begins with https:// and a host."
    wrong = (
        (" " in url, "The URL holds a space."),
        (len(url) > LONGEST_URL, f"The URL is longer than {LONGEST_URL} characters."),
        (
            parts.username is not None or parts.fragment,
            "The URL holds a user or a fragment, which can't be sent.",
        ),
        (
            parts.scheme != "https" and not is_private_allowed,
            "The URL begins with http://; only https:// is used.",
        ),
        (
            not is_private_allowed and _is_private(parts.hostname or ""),
            _PRIVATE,
        ),
    )
    return next((words for is_so, words in wrong if is_so), "")


def _parts(url: str) -> SplitResult | None:
    """Return the parts of what is an HTTP URL with a host; else None."""
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in {"https", "http"} and bool(parts.hostname)
        is_url = is_url and parts.port != 0  # raises when it is no port
    except ValueError:
        return None
    return parts if is_url and url.isascii() and url.isprintable() else None


def open_socket(info: AddressInfo) -> socket.socket:
    """Return a socket for this address; as aiohttp's `socket_factory`.

    Raises:
        PrivateAddressError: It is not public.
    """
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        raise PrivateAddressError
    return socket.socket(family=family, type=kind, proto=protocol)


def has_proxy(url: str) -> bool:
    """Whether this server goes to that address by a proxy, as the HTTP libraries do."""
    parts = urlsplit(url)
    proxies = getproxies()
    is_set = parts.scheme in proxies or "all" in proxies
    return is_set and not proxy_bypass(parts.hostname or "")


async def require_public(url: str) -> None:
    """Check a name before a proxy is asked for it; one unknown here is let through.

    Raises:
        PrivateAddressError: It resolves to an address that is not public.
    """
    parts = urlsplit(url)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            parts.hostname or "", parts.port or _HTTPS_PORT, type=socket.SOCK_STREAM
        )
    except OSError:
        return
    if not all(is_public(str(address[0])) for *_, address in found):
        raise PrivateAddressError


class PublicOnly(httpcore2.SyncBackend):
    """Opens connections to public addresses only, for `make_http`.

    Args:
        resolve: Stands in for the name server.
    """

    def __init__(self, resolve: Resolve | None = None) -> None:
        self._resolve = resolve or _resolve

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Resolve the name once and connect to a public address that was found."""
        try:
            public = self._public(host, port)
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error
        for address in public[:-1]:
            try:
                return super().connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return super().connect_tcp(
            public[-1], port, timeout, local_address, socket_options
        )

    def check_for_proxy(self, request: httpx2.Request) -> None:
        """Check a name before a proxy is asked for it; one unknown here is let through.

        Raises:
            httpx2.ConnectError: It resolves to an address that is not public.
        """
        if not has_proxy(str(request.url)):
            return
        try:
            self._public(request.url.host, request.url.port or _HTTPS_PORT, of_all=True)
        except PrivateAddressError as error:
            raise httpx2.ConnectError(str(error), request=request) from error
        except OSError:
            pass

    def _public(self, host: str, port: int, *, of_all: bool = False) -> list[str]:
        """Return the public addresses of a name; none else may be among them `of_all`.

        Raises:
            PrivateAddressError: There is none.
        """
        found = [str(address[0]) for *_, address in self._resolve(host, port)]
        public = [address for address in found if is_public(address)]
        if not public or (of_all and len(public) < len(found)):
            raise PrivateAddressError
        return public


class PublicTransport(httpx2.HTTPTransport):
    """The HTTP library's own transport, over `PublicOnly`."""

    def __init__(
        self, backend: PublicOnly, *, verify: ssl.SSLContext, limits: httpx2.Limits
    ) -> None:
        super().__init__(verify=verify)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=verify,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=backend,
        )


def _resolve(host: str, port: int) -> Iterable[AddressInfo]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _is_private(host: str) -> bool:
    """Whether that can be said without asking a name server."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return public_url_trouble(f"https://{host}") is not None
    return not is_public(host)
