"""Recall's signature on its own requests: the standard webhooks' one.

Source: docs/contracts/recall.md 6, checked 2026-11-25. Pure: asks nobody, stores
nothing.
"""

import binascii
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from pydantic import SecretStr
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from dashboard.errors import InvalidInputError
from dashboard.pasted import require_whole

TOLERANCE = timedelta(minutes=5)
"""How far from now a signature may have been made, either way."""

_FAMILIES = ("webhook", "svix")  # the second is the older name of the same headers
_PARTS = ("id", "timestamp", "signature")
_PREFIX = "whsec_"
_SHORTEST_KEY_BYTES = 16
_MOST_SIGNATURES = 16
_LONGEST_NUMBER = 12
_FIELD = "verification_secret"


class Signed(StrEnum):
    """What a request's signature says of it."""

    RIGHT = "right"
    WRONG = "wrong"
    ABSENT = "absent"


class _Claim(NamedTuple):
    message_id: str
    timestamp: str
    signatures: str


def verify(
    secret: SecretStr, headers: Mapping[str, str], body: bytes, *, now: datetime
) -> Signed:
    """Tell whether a request was signed with the workspace's secret; never raises.

    Any one of the headers makes it signed: taking one away makes it no request
    without a signature.

    Args:
        secret: `whsec_...`.
        headers: Names in lower case.
        body: As it came; empty of a GET, whose signed text then ends with a dot.
        now: Aware.
    """
    for family in _FAMILIES:
        parts = [headers.get(f"{family}-{part}") for part in _PARTS]
        if any(part is not None for part in parts):
            claim = _Claim(*(part or "" for part in parts))
            is_right = _is_right(secret, claim, body, now=now)
            return Signed.RIGHT if is_right else Signed.WRONG
    return Signed.ABSENT


def require_secret(secret: SecretStr) -> None:
    """Refuse a trimmed value that cannot be a verification secret.

    Raises:
        InvalidInputError: The message never holds the value.
    """
    text = secret.get_secret_value()
    require_whole(text, label="verification secret", field=_FIELD)
    if not text.startswith(_PREFIX):
        raise InvalidInputError(
            f"A verification secret begins with {_PREFIX}. Copy it from Recall's "
            "dashboard; the API key is another value.",
            field=_FIELD,
        )
    try:
        key = binascii.a2b_base64(text.removeprefix(_PREFIX) + "==", strict_mode=False)
    except ValueError:
        key = b""
    if len(key) < _SHORTEST_KEY_BYTES or _hook(secret) is None:
        raise InvalidInputError(
            "This is no whole verification secret. Copy it again as a whole.",
            field=_FIELD,
        )


def _is_right(secret: SecretStr, claim: _Claim, body: bytes, *, now: datetime) -> bool:
    hook, timestamp = _hook(secret), claim.timestamp
    is_whole = timestamp.isascii() and timestamp.isdecimal()
    if hook is None or not is_whole or len(timestamp) > _LONGEST_NUMBER:
        return False
    try:
        signed_at = datetime.fromtimestamp(int(timestamp), UTC)
        if not claim.message_id or abs(signed_at - now) > TOLERANCE:
            return False
        # Not its `verify`: that asks the machine for the time, and this has a clock.
        expected = hook.sign(claim.message_id, signed_at, body.decode()).encode()
        given = [one.encode() for one in claim.signatures.split(" ", _MOST_SIGNATURES)]
    except (ValueError, OverflowError, OSError):
        return False  # also what is no text: UnicodeError is a ValueError
    return any(hmac.compare_digest(expected, one) for one in given)


def _hook(secret: SecretStr) -> Webhook | None:
    """Return the library's signer, or None of a secret that it cannot take."""
    try:
        return Webhook(secret.get_secret_value())
    except (ValueError, binascii.Error, EmptyWebhookSecretError):
        return None
