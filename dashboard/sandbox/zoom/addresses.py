"""Which URLs Zoom takes (docs/contracts/zoom.md 1, 2.4 and 5.1)."""

import ipaddress
from urllib.parse import urlsplit

from dashboard.sandbox.zoom.records import ZoomApp
from dashboard.sandbox.zoom.refusals import RefusedError


def require_public(url: str, *, what: str, allow_local: bool) -> None:
    """Refuse a URL that Zoom cannot reach from outside.

    Raises:
        RefusedError: It is no https URL with a fully qualified host name. With
            `allow_local` http, localhost and IP addresses pass.
    """
    schemes = {"http", "https"} if allow_local else {"https"}
    scheme, host = _scheme_and_host(url)
    if scheme not in schemes or not host:
        raise RefusedError(f"{what} must be a complete https URL.")
    if not allow_local and (_is_ip(host) or "." not in host):
        raise RefusedError(f"{what} must have a public domain name, not an IP address.")


def is_public(url: str, *, allow_local: bool) -> bool:
    """Whether `require_public` would let the URL pass."""
    try:
        require_public(url, what="", allow_local=allow_local)
    except RefusedError:
        return False
    return True


def is_registered(app: ZoomApp, redirect_uri: str) -> bool:
    """Whether the app may be called back there; letter case counts.

    Without strict mode an allow-list entry that is only a base URL covers every path
    below it.
    """
    listed = [url for url in (app.redirect_url, *app.allow_list) if url]
    if redirect_uri in listed:
        return True
    if app.strict_mode:
        return False
    bases = [url.rstrip("/") for url in app.allow_list if _is_base(url)]
    return any(redirect_uri.startswith(base + "/") for base in bases)


def _scheme_and_host(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:  # a bracket that opens no IPv6 address
        return "", ""
    return parts.scheme, parts.hostname or ""


def _is_base(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.netloc) and parts.path in {"", "/"} and not parts.query


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
