"""How long a vendor asks us to wait, in any of the forms they use."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx2

LONGEST_WAIT_S = 3600.0
"""No answer is obeyed longer than this; whoever waits asks again then."""

_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,3})?")
_A_SECOND_S = 1.0


def retry_after_s(headers: httpx2.Headers, *, status: int) -> float | None:
    """Return the seconds to wait, from 0 to an hour; None if nothing was asked.

    `Retry-After` is whole seconds, an HTTP date (RFC 9110 10.2.3), or with Zoom's
    daily limit an ISO-8601 instant; Zoom's limit per second has a header of its own
    and no `Retry-After` (docs/contracts/zoom.md 4.4, checked 2026-11-23).
    A date is compared with the answer's own `Date`, so our clock does not matter.
    """
    asked = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(asked):
        return min(float(asked), LONGEST_WAIT_S)
    until, sent = _instant(asked), _instant(headers.get("Date", ""))
    if until is not None and sent is not None:
        return min(max((until - sent).total_seconds(), 0.0), LONGEST_WAIT_S)
    if status != HTTPStatus.TOO_MANY_REQUESTS:
        return None
    if is_daily_limit(headers):
        return LONGEST_WAIT_S
    is_per_second = headers.get("X-RateLimit-Type", "").upper() == "QPS"
    return _A_SECOND_S if is_per_second else None


def is_daily_limit(headers: httpx2.Headers) -> bool:
    """Whether Zoom's limit per day was reached, not the one per second."""
    return headers.get("X-RateLimit-Type", "").lower() == "daily-limit"


def _instant(text: str) -> datetime | None:
    """Return an instant, aware; what names no zone is UTC."""
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            instant = parse(text.strip())
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
    return None
