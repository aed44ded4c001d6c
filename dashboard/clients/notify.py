"""Sends a message to a chat or incident service, or to a webhook, with apprise.

Apprise speaks to each service through `requests`. Its connections are made here: after
each look-up of a name the address is checked, and the connection goes to that very
address, so that a name which changes its address meanwhile leads nowhere else.
Redirects are not followed. Through a proxy of this server (`HTTPS_PROXY`) the proxy
looks the name up, and its own rules hold.
"""

import ipaddress
import logging
import socket
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies

from pydantic import SecretStr

from dashboard.clients.http.scrubbing import scrub
from dashboard.errors import InvalidInputError, SendError

_STEP_S = 10.0
_LIMITS = {"cto": str(_STEP_S), "rto": str(_STEP_S)}
"""How long apprise waits for a connection, and for each part of an answer."""

_APP = "Dashboard"
_guard = threading.local()


class PrivateAddressError(OSError):
    """The name leads to an address that is not public."""


def require_usable(url: SecretStr) -> str:
    """Return where the address leads, fit to be shown: a service, or a host.

    Raises:
        InvalidInputError: Apprise doesn't know it, or the service is not reached by
            HTTP. It shows nothing of the address.
    """
    made = _made(url, {})
    name = str(getattr(made, "service_name", None) or "")
    host = str(getattr(made, "host", None) or "")
    is_own = name in ("JSON", "XML", "Form")
    return host if is_own and host else name


def send(  # noqa: PLR0913 - one message, all named
    url: SecretStr,
    *,
    title: str,
    body: str,
    tone: str,
    is_private_allowed: bool,
    extras: Mapping[str, str] | None = None,
) -> None:
    """Send one message.

    Args:
        url: In the words of apprise; holds secrets.
        title: One line.
        body: Plain text.
        tone: "info", "success", "warning" or "failure".
        is_private_allowed: Whether the service may be at a private address.
        extras: What the service is given beside it, if it takes such: its parameters.

    Raises:
        SendError: It was not taken, with the service's reason.
    """
    try:
        made = _made(url, extras or {})
    except InvalidInputError as error:
        raise SendError(str(error), is_final=False) from None
    with _heard() as said, _guarded(is_on=not is_private_allowed) as guard:
        try:
            is_sent = made.notify(body=body, title=title, notify_type=tone)
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything, and it may hold the address
            said.append(type(error).__name__)
            is_sent = False
    if guard.refused:
        raise SendError(
            "The address leads to a private network, so nothing was sent. An operator "
            "may allow it: DASHBOARD_ALLOW_PRIVATE_ENDPOINTS."
        )
    if not is_sent:
        reason = scrub(" ".join(said), [url, *_secrets_in(url)]).rstrip(".")
        raise SendError(f"{reason or 'The service did not take it'}.")


def webhook_url(url: str) -> SecretStr:
    """Return the address of a webhook that takes JSON, in the words of apprise.

    Raises:
        InvalidInputError: It is no http or https address.
    """
    try:
        parts = urlsplit(url.strip())
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_one = False
    if not is_one or parts.fragment:
        raise InvalidInputError("A webhook's address is like https://host/path.")
    scheme = "jsons" if parts.scheme == "https" else "json"
    # Its own query is passed on by "-" before each name.
    query = "&".join(f"-{pair}" for pair in parts.query.split("&") if pair)
    asked = f"?{query}" if query else ""
    return SecretStr(f"{scheme}://{parts.netloc}{parts.path or '/'}{asked}")


def _made(url: SecretStr, extras: Mapping[str, str]) -> Any:  # noqa: ANN401 - apprise's own
    apprise = _apprise()
    text = url.get_secret_value().strip()
    given = urlencode({**_LIMITS, **extras}, quote_via=quote)
    joined = f"{text}{'&' if '?' in text else '?'}{given}"
    asset = apprise.AppriseAsset(
        app_id=_APP,
        app_desc=_APP,
        app_url="",
        image_url_mask="",
        image_url_logo="",
        http_redirects=False,
        async_mode=False,
    )
    with _heard():
        made = apprise.Apprise.instantiate(
            joined if "://" in text else text, asset=asset, suppress_exceptions=True
        )
    if made is None:
        raise InvalidInputError(
            "This address is not one that apprise knows. Its documentation lists what "
            "an address of each service looks like."
        )
    if not hasattr(sys.modules[type(made).__module__], "requests"):
        raise InvalidInputError(
            "This service is not reached by HTTP, so the dashboard can't check where "
            "its address leads. Choose another."
        )
    return made


@cache
def _apprise() -> Any:  # noqa: ANN401 - a module
    """Import apprise when it is first needed: it takes a second and 30 MB."""
    with warnings.catch_warnings():  # of what it tries to import for services
        warnings.simplefilter("ignore")
        import apprise  # noqa: PLC0415 - as said
        from apprise.manager_plugins import NotificationManager  # noqa: PLC0415 - as above
        from urllib3.util import connection  # noqa: PLC0415 - as above

        plugins: Any = NotificationManager
        plugins().load_modules()

    logger = logging.getLogger("apprise")
    logger.propagate = False  # what it says is shown with the channel
    connection.create_connection = _connect
    return apprise


def _connect(
    address: tuple[str, int],
    timeout: Any = None,  # noqa: ANN401 - urllib3's own
    source_address: tuple[str, int] | None = None,
    socket_options: Any = None,  # noqa: ANN401 - as above
) -> socket.socket:
    """Connect to a name as urllib3 does, to checked addresses alone where asked to."""
    host, port = address
    last: OSError | None = None
    for family, kind, protocol, _, place in socket.getaddrinfo(
        host.strip("[]"), port, 0, socket.SOCK_STREAM
    ):
        is_checked = getattr(_guard, "is_on", False) and not _is_proxy(host, port)
        if is_checked and not is_public(str(place[0])):
            _guard.refused = True
            last = PrivateAddressError("not a public address")
            continue
        sock = socket.socket(family, kind, protocol)
        try:
            for option in socket_options or ():
                sock.setsockopt(*option)
            sock.settimeout(timeout if isinstance(timeout, int | float) else _STEP_S)
            if source_address:
                sock.bind(source_address)
            sock.connect(place)
        except OSError as error:
            last = error
            sock.close()
        else:
            return sock
    raise last or OSError("the name has no address")


def _is_proxy(host: str, port: int) -> bool:
    """Whether this is the proxy that the server goes out by."""
    parts = [urlsplit(url) for url in getproxies().values()]
    return any(
        each.hostname == host and (each.port or _HTTP_PORT) == port for each in parts
    )


_HTTP_PORT = 80


def is_public(text: str) -> bool:
    """Whether an IP address is one of the internet's."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.sixtofour is not None or address.teredo is not None:
            return False
        if address in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
        if address.ipv4_mapped is not None:
            return is_public(str(address.ipv4_mapped))
    return address.is_global and not address.is_multicast


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@contextmanager
def _guarded(*, is_on: bool) -> Iterator[threading.local]:
    _guard.is_on, _guard.refused = is_on, False
    try:
        yield _guard
    finally:
        _guard.is_on = False


@contextmanager
def _heard() -> Iterator[list[str]]:
    """Hear what apprise says in this thread: why something failed."""
    said: list[str] = []
    me = threading.get_ident()

    class _Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == me and record.levelno >= logging.WARNING:
                said.append(record.getMessage())

    ear, logger = _Ear(), logging.getLogger("apprise")
    logger.addHandler(ear)
    try:
        yield said
    finally:
        logger.removeHandler(ear)


def _secrets_in(url: SecretStr) -> list[SecretStr]:
    """Return the parts of an address that may be secret."""
    text = url.get_secret_value()
    parts = text.partition("://")[2].replace("?", "/").replace("&", "/").split("/")
    longest = (part.rpartition("=")[2] for part in parts)
    return [SecretStr(part) for part in longest if len(part) >= _SECRET_LENGTH]


_SECRET_LENGTH = 8
