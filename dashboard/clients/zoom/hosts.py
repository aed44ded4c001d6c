"""Zoom's hosts: which are Zoom's at all, and those of Zoom for Government.

A token answer names the API host of that grant, which may be a regional one
(docs/contracts/zoom.md 3.2, checked 2026-11-30). The token goes nowhere else.
"""

import re
from typing import ClassVar, Self
from urllib.parse import urlsplit

import httpx2

from dashboard.clients.http.client import make_http

GOVERNMENT_OAUTH = "https://zoomgov.com"
GOVERNMENT_API = "https://api.zoomgov.com"

_API = re.compile(r"api(?:-[a-z0-9]{1,10})?\.(?:zoom\.us|zoomgov\.com)", re.ASCII)
_LONGEST = 100


def read_api_url(value: object) -> str:
    """Return the API host that Zoom names, as an origin; "" for anything else."""
    if not isinstance(value, str) or len(value) > _LONGEST:
        return ""
    try:
        parts = urlsplit(value.strip())
        is_plain = parts.port is None and parts.username is None
    except ValueError:
        return ""
    is_root = parts.path in ("", "/") and not parts.query and not parts.fragment
    host = (parts.hostname or "").lower()
    if parts.scheme != "https" or not is_plain or not is_root:
        return ""
    return f"https://{host}" if _API.fullmatch(host) else ""


class ZoomHost:
    """A client of one of Zoom's hosts.

    Attributes:
        government_url: The same host of Zoom for Government.
        timeout_s: For each wait.
    """

    government_url: ClassVar[str] = GOVERNMENT_API
    timeout_s: ClassVar[float] = 10

    def __init__(self, base_url: str, *, http: httpx2.Client | None = None) -> None:
        """Take the host; a client that is passed is closed by whoever made it.

        Args:
            base_url: "https://api.zoom.us" without `/v2`, or a simulator's; of
                `ZoomOAuth` and `ZoomGrants` "https://zoom.us".
            http: From `make_http`; made here when left out.
        """
        self._base_url = base_url.rstrip("/")
        self._is_owner = http is None
        self._http = http or make_http(base_url, timeout_s=self.timeout_s)

    def at(self, base_url: str) -> Self:
        """Return the same for another host; it shares the connections."""
        return type(self)(base_url, http=self._http)

    def close(self) -> None:
        """Close the connections, unless somebody else made them."""
        if self._is_owner:
            self._http.close()
