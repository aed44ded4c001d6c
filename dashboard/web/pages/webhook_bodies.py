"""A revealed body in several views: for people, byte for byte, for a terminal."""

import base64
import contextlib
import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

_HEX_BYTES = 4096
_ROW = 16
_SENT_AGAIN = ("content-type", "clientid")
_ZOOMS = "x-zm-"


@dataclass(frozen=True, kw_only=True)
class Views:
    """The same bytes, four ways.

    Attributes:
        pretty: Indented when it is JSON, else as `raw`.
        raw: As text; bytes that are no text are escaped.
        hex: Offset, bytes, characters; the first 4 KB.
        is_cut: Whether there is more than `hex` shows.
        curl: A command that posts the same request to the dashboard.
    """

    pretty: str
    raw: str
    hex: str
    is_cut: bool
    curl: str


def views(body: bytes, headers: Iterable[tuple[str, str]], *, url: str) -> Views:
    """Return the views of a body, for somebody who may see all of it."""
    raw = body.decode(errors="backslashreplace")
    pretty = raw
    with contextlib.suppress(ValueError, RecursionError):
        pretty = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    return Views(
        pretty=pretty,
        raw=raw,
        hex=_hex(body[:_HEX_BYTES]),
        is_cut=len(body) > _HEX_BYTES,
        curl=_curl(body, headers, url),
    )


def _hex(data: bytes) -> str:
    rows = []
    for start in range(0, len(data), _ROW):
        row = data[start : start + _ROW]
        seen = "".join(chr(each) if 32 <= each < 127 else "." for each in row)  # noqa: PLR2004 - printable ASCII
        rows.append(f"{start:08x}  {row.hex(' '):<47}  {seen}")
    return "\n".join(rows)


def _curl(body: bytes, headers: Iterable[tuple[str, str]], url: str) -> str:
    # Only what Zoom signs and says of itself: a proxy's headers or a credential of an
    # older kind of Zoom app stay out of it.
    sent = [
        f"-H {shlex.quote(f'{name}: {value}')}"
        for name, value in headers
        if name.startswith(_ZOOMS) or name in _SENT_AGAIN
    ]
    before, data = "", "@-"
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = ""
    if text and "\0" not in text and not text.startswith("@"):
        data = shlex.quote(text)
    else:
        before = f"echo {base64.b64encode(body).decode()} | base64 -d | "
    parts = [f"{before}curl {shlex.quote(url)}", *sent, f"--data-binary {data}"]
    return " \\\n  ".join(parts)
