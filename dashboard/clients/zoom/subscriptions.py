"""Zoom's event subscriptions by API (docs/contracts/zoom.md 5.7).

Paths and names follow Zoom's API description, checked 2026-11-25. What is made in
Zoom's console is listed as well ("default") and cannot be changed from here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from dashboard.clients.http.client import send
from dashboard.clients.zoom.hosts import ZoomHost
from dashboard.errors import UpstreamError

Scope = Literal["user", "account"]

MOST_AT_ONCE = 10
"""Users in one call."""

_PATH = "/v2/marketplace/app/event_subscription"
_MOST_PAGES = 10
_LONGEST_ID = 64
_LONGEST = 1000


def _text(value: object) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    texts = value if isinstance(value, list) else []
    return [one for one in texts if isinstance(one, str)]


_Text = Annotated[str, BeforeValidator(_text)]


class ZoomSubscription(BaseModel):
    """One event subscription of an app, as listed for one user or account.

    Attributes:
        events: Names such as "meeting.created"; the order means nothing.
        scope: "user", "account", or what else Zoom says.
        source: "openapi" for one made by API, "default" for one of the console.
        auth_type: How Zoom signs in to the URL, in Zoom's word; "" when it does not.
        has_custom_params: Whether Zoom adds parameters to it. Both are new since
            2026-11-23 (docs/contracts/zoom.md 5.7, checked 2026-11-29); their values
            may be secret, so none is kept.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, populate_by_name=True
    )

    id: str = Field(min_length=1, max_length=_LONGEST_ID, alias="event_subscription_id")
    events: Annotated[list[str], BeforeValidator(_texts)] = []
    url: _Text = Field(default="", alias="event_webhook_url")
    scope: _Text = Field(default="", alias="subscription_scope")
    source: _Text = Field(default="", alias="created_source")
    auth_type: _Text = Field(default="", alias="client_auth_type")
    has_custom_params: Annotated[bool, BeforeValidator(bool)] = Field(
        default=False, alias="custom_params"
    )


class _Page(BaseModel):
    event_subscriptions: list[ZoomSubscription] = []
    next_page_token: str | None = None


class _Made(BaseModel):
    id: str = Field(min_length=1, max_length=_LONGEST_ID, alias="event_subscription_id")


@dataclass(frozen=True, kw_only=True)
class Subscriber:
    """Who subscribes: a user of an account, or the whole account.

    Attributes:
        user_id: None for the account.
    """

    account_id: str
    user_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a subscription should be."""

    name: str
    url: str
    events: Sequence[str]
    scope: Scope


class ZoomSubscriptions(ZoomHost):
    """Calls Zoom with an app's own token (`ZoomOAuth.app_token`), which is not kept.

    Safe to use from many threads. Every method raises UpstreamError; `code` is Zoom's
    number as text: "4711" for a missing scope, "1602" for an event that the app's
    scopes do not cover, "1300" or "1002" for somebody who has not authorised the app,
    "1701" for a URL that failed the challenge, "1601" for an id that is not there.
    """

    def find(
        self, token: SecretStr, scope: Scope, who: Subscriber
    ) -> list[ZoomSubscription]:
        """Return all subscriptions of one user or account, the console's included."""
        query = {"subscription_scope": scope, "account_id": who.account_id}
        if who.user_id is not None:
            query["user_id"] = who.user_id
        found: list[ZoomSubscription] = []
        for _ in range(_MOST_PAGES):
            request = self._request("GET", token, params=query)
            page = send(self._http, request, service="Zoom", as_=_Page, secrets=[token])
            found += page.event_subscriptions
            if not page.next_page_token:
                return found
            query["next_page_token"] = page.next_page_token
        raise UpstreamError(
            "Zoom lists more event subscriptions than an app can have; they were not "
            "read. Nothing was changed.",
            service="Zoom",
        )

    def create(
        self, token: SecretStr, wanted: Wanted, who: Sequence[Subscriber]
    ) -> str:
        """Make a subscription and return Zoom's id of it.

        Zoom challenges the URL while this call is under way. There is no key that
        would keep a second one from being made: after a lost answer, look.

        Args:
            token: The app's own.
            wanted: What to make.
            who: At most ten, of one account.
        """
        body = {**_body(wanted), "subscription_scope": wanted.scope, **_who(who)}
        request = self._request("POST", token, json=body)
        made = send(self._http, request, service="Zoom", as_=_Made, secrets=[token])
        return made.id

    def update(self, token: SecretStr, subscription_id: str, wanted: Wanted) -> None:
        """Change URL, events and name; where Zoom lacks this it answers 404 or 405."""
        body = {"event_subscription_id": subscription_id, **_body(wanted)}
        self._do(self._request("PATCH", token, json=body), token)

    def subscribe(
        self, token: SecretStr, subscription_id: str, who: Sequence[Subscriber]
    ) -> None:
        """Have users, or an account, join; those who have joined stay.

        Args:
            token: The app's own.
            subscription_id: Zoom's.
            who: At most ten, of one account.
        """
        request = self._request("PATCH", token, _one(subscription_id), json=_who(who))
        self._do(request, token)

    def delete(self, token: SecretStr, subscription_id: str) -> None:
        """Delete one that was made by API."""
        self._do(self._request("DELETE", token, _one(subscription_id)), token)

    def _request(
        self,
        method: str,
        token: SecretStr,
        path: str = "",
        *,
        params: dict[str, str] | None = None,
        json: dict[str, object] | None = None,
    ) -> httpx2.Request:
        return self._http.build_request(
            method,
            f"{self._base_url}{_PATH}{path}",
            headers={b"Authorization": f"Bearer {token.get_secret_value()}".encode()},
            params=params,
            json=json,
        )

    def _do(self, request: httpx2.Request, token: SecretStr) -> None:
        send(self._http, request, service="Zoom", as_=None, secrets=[token])


def _one(subscription_id: str) -> str:
    return "/" + quote(subscription_id, safe="")


def _body(wanted: Wanted) -> dict[str, object]:
    return {
        "event_subscription_name": wanted.name,
        "event_webhook_url": wanted.url,
        "events": list(wanted.events),
    }


def _who(who: Sequence[Subscriber]) -> dict[str, object]:
    users = [one.user_id for one in who if one.user_id is not None]
    account: dict[str, object] = {"account_id": who[0].account_id} if who else {}
    return {**account, "user_ids": users} if users else account
