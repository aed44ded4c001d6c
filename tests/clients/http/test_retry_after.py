"""`Retry-After` in all its forms, and Zoom's limits beside it."""

import httpx2
import pytest

from dashboard.clients.http.retry_after import retry_after_s

DATE = "Mon, 23 Nov 2026 12:00:00 GMT"
DAILY = {"X-RateLimit-Type": "Daily-limit"}


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        pytest.param({"Retry-After": "7"}, 7, id="seconds"),
        pytest.param({"Retry-After": " 0 "}, 0, id="at once"),
        pytest.param({"Retry-After": "1.5"}, 1.5, id="part of a second"),
        pytest.param({"Retry-After": "999999999"}, 3600, id="years"),
        pytest.param({"Retry-After": "9" * 5000}, None, id="endless digits"),
        pytest.param({"Retry-After": "\u0667"}, None, id="another script's digit"),
        pytest.param({"Retry-After": "-5"}, None, id="negative"),
        pytest.param({"Retry-After": "soon"}, None, id="a word"),
        pytest.param({}, None, id="nothing"),
        pytest.param(
            {"Retry-After": "Mon, 23 Nov 2026 12:01:00 GMT", "Date": DATE},
            60,
            id="HTTP date",
        ),
        pytest.param(
            {"Retry-After": "2026-11-23T12:00:30Z", "Date": DATE} | DAILY,
            30,
            id="ISO-8601, as Zoom's daily limit",
        ),
        pytest.param(
            {"Retry-After": "2026-11-23T13:00:30+01:00", "Date": DATE}, 30, id="zone"
        ),
        pytest.param(
            {"Retry-After": "2026-11-23T12:00:30", "Date": DATE}, 30, id="no zone"
        ),
        pytest.param(
            {"Retry-After": "2026-11-24T00:00:00Z", "Date": DATE}, 3600, id="tomorrow"
        ),
        pytest.param(
            {"Retry-After": "2026-11-23T11:00:00Z", "Date": DATE}, 0, id="past"
        ),
        pytest.param(
            {"Retry-After": "2026-11-24T00:00:00Z"}, None, id="date without a date"
        ),
        pytest.param(
            {"Retry-After": "2026-11-24T00:00:00Z"} | DAILY, 3600, id="daily, no date"
        ),
        pytest.param(DAILY, 3600, id="daily, nothing said"),
        pytest.param({"X-RateLimit-Type": "QPS"}, 1, id="per second"),
    ],
)
def test_the_wait_is_understood(headers: dict[str, str], wait_s: float | None) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]

    assert retry_after_s(httpx2.Headers(raw), status=429) == wait_s


def test_a_limit_header_on_another_refusal_asks_for_no_wait() -> None:
    headers = httpx2.Headers({"X-RateLimit-Type": "QPS"})

    assert retry_after_s(headers, status=400) is None
