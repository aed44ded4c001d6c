"""Zoom's challenge, put by the dashboard itself: to its own public URL and to Recall.

It is written and signed as Zoom does, so that whatever passes for Zoom passes for it
(docs/contracts/zoom.md 5.3 and 5.5, checked 2026-11-23).
"""

import json
import secrets
from dataclasses import dataclass
from datetime import datetime

from pydantic import SecretStr

from dashboard.models.check import Finding
from dashboard.services.receiver.events import CHALLENGE
from dashboard.services.receiver.signatures import answer_challenge, sign, signed_bytes

PROBE_PREFIX = "dashboard-probe-"
"""What the `plainToken` of our own challenge to our own address begins with.

The receiver knows it by that once the signature is proven: only a holder of the secret
token can make one. Zoom's tokens are 22 random characters.
"""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One finding, as `Check` keeps it.

    Attributes:
        detail: What was seen, and who mends it; holds no secret.
        took_ms: How long the answer took, in milliseconds, where that has a meaning.
        told_at: The instant that it speaks of, when that is not the present.
    """

    finding: Finding
    detail: str
    took_ms: float | None = None
    told_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """A challenge ready to be posted.

    Attributes:
        plain: Its `plainToken`; no secret.
        body: Raw request bytes, as signed.
        timestamp: `x-zm-request-timestamp`.
        signature: `x-zm-signature`.
        answer: The two keys that it must be answered with.
    """

    plain: str
    body: bytes
    timestamp: str
    signature: str
    answer: dict[str, str]


def make(secret: SecretStr, *, now: datetime, prefix: str = "") -> Challenge:
    """Write a fresh challenge and sign it.

    Args:
        secret: The secret token.
        now: Aware.
        prefix: What its `plainToken` begins with.
    """
    plain = prefix + secrets.token_urlsafe(16)
    timestamp = str(int(now.timestamp()))
    body = json.dumps(
        {
            "event": CHALLENGE,
            "event_ts": int(now.timestamp() * 1000),
            "payload": {"plainToken": plain},
        },
        separators=(",", ":"),
    ).encode()
    return Challenge(
        plain=plain,
        body=body,
        timestamp=timestamp,
        signature=sign(signed_bytes(timestamp, body), secret).decode(),
        answer=answer_challenge(plain, secret),
    )


def is_own_probe(plain_token: str | None) -> bool:
    """Whether a challenge says that it is ours; a proof only with its signature."""
    return plain_token is not None and plain_token.startswith(PROBE_PREFIX)
