"""How Zoom spells and signs what it sends (docs/contracts/zoom.md 5.3)."""

import hashlib
import hmac
import json
import random
import re

_BEYOND_BMP = re.compile("[\U00010000-\U0010ffff]")


def signature(secret_token: str, timestamp: str, body: bytes) -> str:
    """Return the value of `x-zm-signature`: `v0=` and 64 hex digits.

    Args:
        secret_token: The app's secret token, used as UTF-8.
        timestamp: The value of `x-zm-request-timestamp`, as sent.
        body: The exact bytes of the request.
    """
    message = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret_token.encode(), message, hashlib.sha256).hexdigest()


def encrypted_token(secret_token: str, plain_token: str) -> str:
    """Return the right answer to a challenge: 64 hex digits.

    Source: docs/contracts/zoom.md 5.5.
    """
    key, message = secret_token.encode(), plain_token.encode()
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def encode(envelope: dict[str, object], order: random.Random) -> bytes:
    """Return compact JSON in some order of the outer keys.

    Characters beyond the BMP become surrogate escapes with uppercase hex digits;
    all others go out as plain UTF-8. Both were seen in real captures.
    """
    keys = list(envelope)
    order.shuffle(keys)
    text = json.dumps(
        {key: envelope[key] for key in keys}, ensure_ascii=False, separators=(",", ":")
    )
    return _BEYOND_BMP.sub(_surrogates, text).encode()


def reserialised(body: bytes) -> bytes:
    """Return the same JSON as a meddling proxy would spell it, else the body."""
    try:
        return json.dumps(json.loads(body)).encode()
    except ValueError:
        return body


def _surrogates(match: re.Match[str]) -> str:
    high, low = divmod(ord(match[0]) - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04X}\\u{0xDC00 + low:04X}"
