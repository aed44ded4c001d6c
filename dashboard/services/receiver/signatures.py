"""Signatures of Zoom: checks them, makes them, and answers validation requests.

Nothing here parses the body, reads the clock or stores anything.
"""

import hmac
import json
import re
import secrets as random_tokens
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from pydantic import SecretStr

from dashboard.formatting import duration_words
from dashboard.models.webhook import Mark
from dashboard.services.receiver.events import URL_VALIDATION
from dashboard.vault import fingerprint

Headers = Iterable[tuple[str, str]]
"""(name, value) of a request, names lower case."""

FUTURE_LIMIT_S = 300
"""How far ahead of our clock a request may be dated before one of the clocks is off."""

LATE_AFTER_S = 95 * 60
"""From what age on a request is marked late, in seconds.

Zoom's last retry comes about 85 minutes after the first attempt
(docs/contracts/zoom.md 5.6), so what is older was held up somewhere.
"""

# `str.isdigit` lets other scripts through, and `int` refuses past 4,300 digits.
_TIMESTAMP = re.compile(r"([0-9]{1,19})(?:\.[0-9]{1,9})?")
_FIRST_MS = 10**11
"""As seconds it is the year 5138; as milliseconds March 1973."""

_SIGNATURE = re.compile("v0=[0-9a-f]{64}")
_NOT_ZOOM_OR_PROXY = (
    "the request is not from Zoom, or a proxy changed the header.\nThe operator of the "
    "proxy in front of this server lets every x-zm- header through unchanged."
)


class Cause(StrEnum):
    """Why a request to a known zoom app's address was refused."""

    NO_SECRET = "no_secret"  # noqa: S105 - a word for counting, no password
    TOO_LARGE = "too_large"
    MISSING_HEADER = "missing_header"
    BAD_TIMESTAMP = "bad_timestamp"
    BAD_SIGNATURE = "bad_signature"  # not of the form Zoom writes
    SIGNATURE = "signature"  # of that form, but made with another secret or body
    ROTATING = "rotating"  # the same, while a rotation of the secret token is announced
    OTHER_ENVIRONMENT = "other_environment"  # by the zoom app's other credential pair
    OTHER_APP = "other_app"  # by another zoom app here
    WHITE_SPACE = "white_space"  # the secret token has some that does not belong
    REWRITTEN = "rewritten"  # a proxy rewrote the JSON
    PACKED = "packed"  # a proxy compressed or encoded the body
    LENGTH = "length"  # another number of bytes came than Content-Length says
    FUTURE = "future"  # a validation request ahead of this server's clock
    TOO_OLD = "too_old"
    MALFORMED = "malformed"  # a signed validation request without a token


MISMATCHES = frozenset(
    {
        Cause.SIGNATURE,
        Cause.ROTATING,
        Cause.OTHER_ENVIRONMENT,
        Cause.OTHER_APP,
        Cause.WHITE_SPACE,
        Cause.REWRITTEN,
        Cause.PACKED,
        Cause.LENGTH,
    }
)
"""The causes that follow from a signature of the proper form that does not match."""


PROBE_PREFIX = "dashboard-probe-"
"""How the `plainToken` of our own self-test of the public URL begins.

The receiver recognises the self-test by it once the signature is verified: only a
holder of the secret token can make one. Zoom's tokens are 22 random characters.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedSecret:
    """A secret token and which one it is: "current" or "previous"."""

    name: str
    secret: SecretStr


@dataclass(frozen=True, kw_only=True, slots=True)
class SignatureCheck:
    """What the signature says.

    Attributes:
        matched: The secret that made the signature; None when refused before that.
        cause: Why it is refused; None when the signature is valid.
        sentence: The same as a sentence; after a line break, who fixes it where.
            "" when the signature is valid.
        sent_at_s: `x-zm-request-timestamp`, whole seconds since the epoch; 0 unread.
        timing: LATE or CLOCK when the signature is valid and the time is odd.
    """

    matched: NamedSecret | None = None
    cause: Cause | None = None
    sentence: str = ""
    sent_at_s: int = 0
    timing: Mark | None = None


@dataclass(frozen=True, kw_only=True)
class ValidationRequest:
    """Zoom's validation request, written and signed by the dashboard as Zoom does.

    Source: docs/contracts/zoom.md 5.3 and 5.5, checked 2026-11-23.

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


def usable(secrets: Sequence[NamedSecret]) -> list[NamedSecret]:
    """Return the secrets that may be a key: with an empty one anyone could sign."""
    return [each for each in secrets if each.secret.get_secret_value().strip()]


def check(  # noqa: PLR0913 - one request's facts, all named
    body: bytes,
    *,
    timestamp: str | None,
    signature: str | None,
    secrets: Sequence[NamedSecret],
    now: datetime,
    age_limit_s: int,
) -> SignatureCheck:
    """Check the signature of `body` with each of `secrets`.

    Source: docs/contracts/zoom.md 5.3 and 5.4
    (https://developers.zoom.us/docs/api/webhooks/), checked 2026-11-23.
    The age refuses nothing within `age_limit_s`: a stored webhook shows what is a
    repeat, and what looks signed ahead of time was signed by Zoom all the same.

    Args:
        body: Raw request bytes, as they came.
        timestamp: `x-zm-request-timestamp`; None when absent.
        signature: `x-zm-signature`; None when absent.
        secrets: Tried in order; empty ones are never a key.
        now: Aware.
        age_limit_s: How old a signed event may be, in seconds.
    """
    keys = usable(secrets)
    if not keys:
        return _refused(
            Cause.NO_SECRET,
            "This zoom app has no readable secret token, so requests can't be "
            "verified.\nAn admin enters it here (zoom app, Edit). Zoom retries for "
            "about 85 minutes.",
        )
    if timestamp is None or signature is None:
        return _refused(Cause.MISSING_HEADER, _missing(timestamp, signature))
    sent_at_s = read_timestamp(timestamp)
    if sent_at_s is None:
        return _refused(
            Cause.BAD_TIMESTAMP,
            "x-zm-request-timestamp is not a number, which Zoom always sends: "
            f"{_NOT_ZOOM_OR_PROXY}",
        )
    if not _SIGNATURE.fullmatch(signature):
        return _refused(
            Cause.BAD_SIGNATURE,
            f"x-zm-signature is not v0= and 64 hex digits: {_NOT_ZOOM_OR_PROXY}",
        )
    message = signed_bytes(timestamp, body)
    presented = signature.encode()
    for each in keys:
        if hmac.compare_digest(sign(message, each.secret), presented):
            return _timed(each, sent_at_s, now.timestamp(), age_limit_s)
    return _refused(Cause.SIGNATURE, _unmatched(keys), sent_at_s=sent_at_s)


def read_timestamp(text: str) -> int | None:
    """Return a timestamp as whole seconds since the epoch; None when it is no number.

    Zoom sends seconds. Milliseconds and finer are told by their size, and a fraction is
    dropped: the signature covers the text, so whoever signed it meant it.
    """
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        return None
    whole = int(found[1])
    while whole >= _FIRST_MS:
        whole //= 1000
    return whole


def ahead_words(seconds: float) -> str:
    """Say how far a timestamp is ahead, as the fault of this server's clock."""
    return (
        f"The timestamp is {duration_words(seconds)} ahead of this server's clock, so "
        "this server's clock is slow.\nThe operator of this server sets its clock "
        "(NTP)."
    )


def _timed(
    matched: NamedSecret, sent_at_s: int, now_s: float, age_limit_s: int
) -> SignatureCheck:
    """Return the result for a valid signature, by the age of its timestamp."""
    age_s = now_s - sent_at_s
    if age_s > age_limit_s:
        return SignatureCheck(
            matched=matched,
            cause=Cause.TOO_OLD,
            sentence=f"The signature is valid but {duration_words(age_s)} old; the "
            f"limit is {duration_words(age_limit_s)}. The request is a replay, or this "
            "server's clock is fast.\nThe operator of this server checks its clock "
            "(NTP). If the clock is correct, no action is needed. "
            "DASHBOARD_EVENT_AGE_LIMIT_S is the limit.",
            sent_at_s=sent_at_s,
        )
    timing = None
    if age_s > LATE_AFTER_S:
        timing = Mark.LATE
    elif age_s < -FUTURE_LIMIT_S:
        timing = Mark.CLOCK
    return SignatureCheck(matched=matched, sent_at_s=sent_at_s, timing=timing)


def answer_challenge(plain_token: str, secret: SecretStr) -> dict[str, str]:
    """Return exactly the two keys that `endpoint.url_validation` is answered with.

    Source: docs/contracts/zoom.md 5.5, checked 2026-11-23.
    """
    digest = hmac.digest(_key(secret), plain_token.encode(), "sha256")
    return {"plainToken": plain_token, "encryptedToken": digest.hex()}


def signed_bytes(timestamp: str, body: bytes) -> bytes:
    """Return the message Zoom signs; the body goes in untouched."""
    return b"v0:" + timestamp.encode() + b":" + body


def sign(message: bytes, secret: SecretStr) -> bytes:
    """Return `v0=` and 64 hex digits over `message`, from `signed_bytes`."""
    # Not `hmac.digest`: it gives the interpreter's lock away, and a request under load
    # gets it back behind all the others. This does so from 2 KB on.
    mac = _keyed(secret.get_secret_value()).copy()
    mac.update(message)
    return b"v0=" + mac.hexdigest().encode()


@lru_cache(maxsize=256)
def _keyed(secret: str) -> hmac.HMAC:
    return hmac.new(secret.encode(), digestmod="sha256")


def _key(secret: SecretStr) -> bytes:
    return secret.get_secret_value().encode()


def validation_request(
    secret: SecretStr, *, now: datetime, prefix: str = ""
) -> ValidationRequest:
    """Write a new validation request and sign it.

    Args:
        secret: The secret token.
        now: Aware.
        prefix: What its `plainToken` begins with.
    """
    plain = prefix + random_tokens.token_urlsafe(16)
    timestamp = str(int(now.timestamp()))
    body = json.dumps(
        {
            "event": URL_VALIDATION,
            "event_ts": int(now.timestamp() * 1000),
            "payload": {"plainToken": plain},
        },
        separators=(",", ":"),
    ).encode()
    return ValidationRequest(
        plain=plain,
        body=body,
        timestamp=timestamp,
        signature=sign(signed_bytes(timestamp, body), secret).decode(),
        answer=answer_challenge(plain, secret),
    )


def is_own_probe(plain_token: str | None) -> bool:
    """Whether a validation request says it is ours; its signature has to prove it."""
    return plain_token is not None and plain_token.startswith(PROBE_PREFIX)


def signing_secret(
    headers: Headers, body: bytes, secrets: Sequence[NamedSecret]
) -> NamedSecret | None:
    """Return which of the secret tokens signed a stored request; None: none of them.

    Args:
        headers: (name, value) as stored, names lower case.
        body: Raw request bytes, as they came.
        secrets: Tried in order.
    """
    named = dict(headers)
    timestamp = named.get("x-zm-request-timestamp", "")
    presented = named.get("x-zm-signature", "").encode(errors="replace")
    message = signed_bytes(timestamp, body)
    for each in usable(secrets):
        if hmac.compare_digest(sign(message, each.secret), presented):
            return each
    return None


def _refused(cause: Cause, sentence: str, *, sent_at_s: int = 0) -> SignatureCheck:
    return SignatureCheck(cause=cause, sentence=sentence, sent_at_s=sent_at_s)


def _unmatched(keys: Sequence[NamedSecret]) -> str:
    current, *former = (fingerprint(each.secret) for each in keys)
    also = f" or the previous one ({former[0]})" if former else ""
    return (
        f"The signature doesn't match the secret token stored here ({current}){also}."
        "\nAn admin copies Secret Token (not Verification Token or Client Secret) from "
        "Features, Access of the same Zoom app."
    )


def _missing(timestamp: str | None, signature: str | None) -> str:
    names = [
        name
        for name, value in (
            ("x-zm-request-timestamp", timestamp),
            ("x-zm-signature", signature),
        )
        if value is None
    ]
    are = "is" if len(names) == 1 else "are"
    return (
        f"{' and '.join(names)} {are} missing: the request is not from Zoom, or a "
        "proxy removes unknown headers.\nThe operator of the proxy in front of this "
        "server lets every x-zm- header through."
    )
