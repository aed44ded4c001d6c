"""Domain verification by a file in the root or a tag on the home page.

Source: docs/contracts/zoom.md 7.1. The name and content of the file are inferred there.
"""

import re
from typing import Literal

import httpx2

Method = Literal["file", "tag"]
_TAG = re.compile(
    r"""<meta\s+name=["']zoom-domain-verification["']\s+content=["']([^"']*)["']""",
    re.IGNORECASE,
)
_HEAD = re.compile(r"<head\b.*?</head>", re.IGNORECASE | re.DOTALL)


def file_name(code: str) -> str:
    """Return the name of the file to download for a code."""
    return f"{code}.html"


def tag(code: str) -> str:
    """Return the tag to put into the home page's head."""
    return f'<meta name="zoom-domain-verification" content="{code}">'


def verify(http: httpx2.Client, base_url: str, code: str, method: Method) -> bool:
    """Fetch the file or the home page as a stranger; whether the code is there.

    Follows no redirect, reads what comes as text and runs nothing.
    """
    path = file_name(code) if method == "file" else ""
    try:
        answer = http.get(f"{base_url.rstrip('/')}/{path}", follow_redirects=False)
    except httpx2.HTTPError:
        return False
    if answer.status_code != 200:
        return False
    if method == "file":
        return answer.text.strip() == code
    head = _HEAD.search(answer.text)
    return head is not None and code in _TAG.findall(head[0])
