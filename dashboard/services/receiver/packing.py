"""Bodies that a proxy compressed or encoded: what was done, and what was in them.

Zoom sends plain JSON (docs/contracts/zoom.md 5.3), so a packed body was packed on the
way. Pure, and bounded: a small body that unpacks to gigabytes is not unpacked whole.
"""

import base64
import binascii
import gzip
import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

MOST_BYTES = 1024 * 1024
"""Of what is unpacked; the same as a webhook may have."""

_FORM_FIELDS = 20
_JSON_BEGINS = (b"{", b"[")


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed:
    """How a body was packed.

    Attributes:
        how: "compressed (gzip)": after "it arrived".
        body: What was in it; None when it does not unpack or is too large.
    """

    how: str
    body: bytes | None


def find(body: bytes, encoding: str = "") -> Packed | None:
    """Return how a body was packed; None when it is not.

    Args:
        body: As it came.
        encoding: The `content-encoding` header.
    """
    if body.startswith(b"\x1f\x8b"):
        return Packed(how="compressed (gzip)", body=_unpacked(_gunzip, body))
    if body.lstrip()[:1] in _JSON_BEGINS:
        return None
    named = encoding.strip().lower()
    if named not in ("", "identity"):
        how = f"with content-encoding {_word(named)}"
        return Packed(how=how, body=_unpacked(_inflate, body))
    inflated = _unpacked(_inflate, body) if body[:1] == b"\x78" else None
    if inflated is not None:
        return Packed(how="compressed (deflate)", body=inflated)
    return _from_base64(body) or _from_form(body)


def _from_base64(body: bytes) -> Packed | None:
    # API gateways hand bodies on so; as a JSON text as well.
    text = body.strip().strip(b'"').translate(_URL_SAFE)
    decoded = _unpacked(_decode, text + b"=" * (-len(text) % 4))
    if decoded is None:
        return None
    if decoded.lstrip()[:1] in _JSON_BEGINS:
        return Packed(how="as base64", body=decoded)
    if decoded.startswith(b"\x1f\x8b"):
        how = "compressed (gzip) and as base64"
        return Packed(how=how, body=_unpacked(_gunzip, decoded))
    return None


def _from_form(body: bytes) -> Packed | None:
    if b"=" not in body:
        return None
    try:
        pairs = parse_qsl(body, max_num_fields=_FORM_FIELDS)
    except ValueError:
        return None
    for name, value in pairs:
        if value.lstrip()[:1] in _JSON_BEGINS:
            field = _word(name.decode(errors="replace"))
            return Packed(how=f"as a form with the field {field}", body=value)
    return None


def _unpacked(how: Callable[[bytes], bytes], body: bytes) -> bytes | None:
    try:
        found = how(body)
    except (OSError, EOFError, ValueError, zlib.error):
        return None
    return found if len(found) <= MOST_BYTES else None


def _gunzip(body: bytes) -> bytes:
    with gzip.open(io.BytesIO(body)) as stream:
        return stream.read(MOST_BYTES + 1)


def _inflate(body: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(body, MOST_BYTES + 1)
    except zlib.error:  # some send deflate without its header
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(body, MOST_BYTES + 1)


def _decode(body: bytes) -> bytes:
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        raise ValueError from None


def _word(text: str) -> str:
    """Return a word that a stranger chose, short and printable."""
    return "".join(c for c in text[:20] if c.isalnum() or c in "-_.") or "unknown"


_URL_SAFE = bytes.maketrans(b"-_", b"+/")
