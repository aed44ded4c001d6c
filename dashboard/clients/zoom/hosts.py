"""Zoom's hosts: which are Zoom's at all, and those of Zoom for Government.

A token answer names the API host of that grant, which may be a regional one
(docs/contracts/zoom.md 3.2, checked 2026-11-30). The token goes nowhere else.
"""

import re
from urllib.parse import urlsplit

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
