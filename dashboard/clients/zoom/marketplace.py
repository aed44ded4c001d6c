"""An app as Zoom's Marketplace keeps it, by API: its webhooks' log, users' requests.

Needs Zoom's ID of the app, which is not its client ID (docs/contracts/zoom.md 5.9
and 5.10, checked 2026-11-30).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

import httpx2
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)

from dashboard.clients.http.client import send
from dashboard.clients.zoom.hosts import ZoomHost

_PAGE = 300
_LONGEST = 2048
_LONGEST_ID = 64
_LONGEST_BODY = 64 * 1024
_HTTP = range(100, 600)
_LATEST_S = 4_102_444_800  # the year 2100
_MILLISECONDS = 1000
_ONLY_FAILED = "2"
_NO_SECONDS = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d):\d{3}Z", re.ASCII)
"""Zoom's own example of an instant: hours, minutes and milliseconds."""


def _text(value: object) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""


def _body(value: object) -> str:
    """Return a whole body, or nothing: half of one is another event."""
    is_body = isinstance(value, str) and len(value) <= _LONGEST_BODY
    return str(value) if is_body else ""


def _number(value: object) -> int | None:
    if isinstance(value, str) and value.removeprefix("-").isdecimal():
        value = int(value[:9])
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _status(value: object) -> int | None:
    number = _number(value)
    return number if number in _HTTP else None


def _reason(value: object) -> int | None:
    number = _number(value)
    return None if number is None else abs(number)


def _instant(value: object) -> datetime | None:
    """Return an instant written in any form seen of Zoom's; None for another."""
    try:
        if isinstance(value, str) and not value.isdecimal():
            value = _NO_SECONDS.sub(r"\1:00Z", value)
            found = datetime.fromisoformat(value)
            return found if found.tzinfo else found.replace(tzinfo=UTC)
        seconds = int(value) if isinstance(value, (str, int)) else 0
        if seconds > _LATEST_S:
            seconds //= _MILLISECONDS
        return datetime.fromtimestamp(seconds, UTC) if seconds > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def _rows(value: object) -> object:
    """Return the rows that are objects; one odd row must not hide the others."""
    rows = value if isinstance(value, list) else []
    return [one for one in rows if isinstance(one, dict)]


_Text = Annotated[str, BeforeValidator(_text)]


class LoggedDelivery(BaseModel):
    """One try at a delivery, as Zoom's log has it; every field may be absent.

    Attributes:
        status: HTTP status of the answer; None for anything else.
        failed_reason_type: Zoom's number for a failure without an answer, 1 to 16; its
            page on webhooks writes the same ones below zero.
        request_body: What was sent; "" when it is not whole. Holds personal data.
        date_time: Aware; None when it is no instant.
        trace_id: May be the same for several events; `request_id` is of one, and the
            same for its retries.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    event: _Text = ""
    status: Annotated[int | None, BeforeValidator(_status)] = None
    failed_reason_type: Annotated[int | None, BeforeValidator(_reason)] = None
    endpoint: _Text = ""
    request_body: Annotated[str, BeforeValidator(_body)] = ""
    response_body: _Text = ""
    date_time: Annotated[datetime | None, BeforeValidator(_instant)] = None
    trace_id: _Text = ""
    request_id: _Text = ""
    retry_num: Annotated[int | None, BeforeValidator(_number)] = None


class _LogPage(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    webhook_logs: Annotated[list[LoggedDelivery], BeforeValidator(_rows)] = []
    next_page_token: _Text = ""


class AppRequest(BaseModel):
    """A user's request that their account's admin approves the app.

    Attributes:
        user_id: Zoom's; at most 64 characters.
        requested_at: Aware; None when it is no instant.
        status: Zoom's word.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, populate_by_name=True
    )

    user_id: str = Field(min_length=1, max_length=64, alias="request_user_id")
    name: _Text = Field(default="", alias="request_user_name")
    email: _Text = Field(default="", alias="request_user_email")
    reason: _Text = ""
    status: _Text = ""
    requested_at: Annotated[datetime | None, BeforeValidator(_instant)] = Field(
        default=None, alias="request_date_time"
    )


def _with_user(value: object) -> object:
    """Return the rows that name a user; one odd row must not hide the others."""
    rows = value if isinstance(value, list) else []
    ids = [
        one.get("request_user_id") if isinstance(one, dict) else None for one in rows
    ]
    return [
        row
        for row, user_id in zip(rows, ids, strict=True)
        if isinstance(user_id, str) and 0 < len(user_id) <= _LONGEST_ID
    ]


class _RequestPage(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    requests: Annotated[list[AppRequest], BeforeValidator(_with_user)] = []
    next_page_token: _Text = ""


class _Certificates(BaseModel):
    """Certificates of an app's events; how Zoom lists them is not published.

    Attributes:
        number: Of the entries; None when there is no such list.
    """

    number: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _count(cls, value: Any) -> Any:  # noqa: ANN401 - JSON of any shape
        if isinstance(value, dict):
            value = value.get("event_certificates", value.get("certificates"))
        return {"number": len(value) if isinstance(value, list) else None}


@dataclass(frozen=True, kw_only=True)
class Log:
    """The failed tries of some time, in Zoom's order.

    Attributes:
        is_whole: Whether there was no more of it.
    """

    deliveries: Sequence[LoggedDelivery]
    is_whole: bool


class ZoomMarketplace(ZoomHost):
    """Calls Zoom with an app's own token (`ZoomOAuth.app_token`), which is not kept.

    Safe to use from many threads. Every method raises UpstreamError.
    """

    def webhook_log(
        self,
        token: SecretStr,
        app_id: str,
        *,
        since: datetime,
        until: datetime,
        pages: int,
    ) -> Log:
        """Return what Zoom sent for an app in vain, as far as so many pages.

        Args:
            token: The app's own, or one of its account's.
            app_id: Zoom's.
            since: At most 7 days back.
            until: Aware.
            pages: Of 300 entries.

        Raises:
            UpstreamError: `code` is "4711" for a missing scope. A log that breaks off
                half-way is not returned.
        """
        query = {
            "from": f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "to": f"{until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "type": _ONLY_FAILED,
            "page_size": str(_PAGE),
        }
        found: list[LoggedDelivery] = []
        for _ in range(pages):
            request = self._get(f"{_app(app_id)}/webhook_logs", token, query)
            page = send(
                self._http, request, service="Zoom", as_=_LogPage, secrets=[token]
            )
            found += page.webhook_logs
            following = page.next_page_token
            if not following or following == query.get("next_page_token"):
                return Log(deliveries=found, is_whole=True)
            query["next_page_token"] = following
        return Log(deliveries=found, is_whole=False)

    def requests(
        self, token: SecretStr, app_id: str, *, pages: int
    ) -> Sequence[AppRequest]:
        """Return who asked for an app's pre-approval, as far as so many pages."""
        query = {"page_size": str(_PAGE)}
        found: list[AppRequest] = []
        for _ in range(pages):
            request = self._get(f"{_app(app_id)}/requests", token, query)
            page = send(
                self._http, request, service="Zoom", as_=_RequestPage, secrets=[token]
            )
            found += page.requests
            following = page.next_page_token
            if not following or following == query.get("next_page_token"):
                break
            query["next_page_token"] = following
        return found

    def certificates(self, token: SecretStr, app_id: str) -> int | None:
        """Return how many certificates an app's events have; None when unreadable."""
        path = f"/v2/marketplace/app/{quote(app_id, safe='')}/event_certificates"
        request = self._get(path, token, {})
        found = send(
            self._http, request, service="Zoom", as_=_Certificates, secrets=[token]
        )
        return found.number

    def approve(self, token: SecretStr, app_id: str, user_id: str) -> None:
        """Approve one user's request; it is safe to repeat."""
        request = self._http.build_request(
            "PATCH",
            f"{self._base_url}{_app(app_id)}/requests",
            json={"action": "approve", "request_user_ids": [user_id]},
            headers={b"Authorization": f"Bearer {token.get_secret_value()}".encode()},
        )
        send(self._http, request, service="Zoom", as_=None, secrets=[token])

    def _get(
        self, path: str, token: SecretStr, query: Mapping[str, str]
    ) -> httpx2.Request:
        return self._http.build_request(
            "GET",
            f"{self._base_url}{path}",
            params=query,
            headers={b"Authorization": f"Bearer {token.get_secret_value()}".encode()},
        )


def _app(app_id: str) -> str:
    return f"/v2/marketplace/apps/{quote(app_id, safe='')}"
