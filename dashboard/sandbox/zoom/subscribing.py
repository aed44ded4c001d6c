"""Event subscriptions made by API: created, read, changed, joined, deleted.

Paths, bodies, codes and sentences are those of Zoom's published API description of
February and July 2026 (docs/contracts/zoom.md 5.7). What `PATCH` on the collection
takes is not described there: the same names as at creation, beside
`event_subscription_id`.
"""

from collections.abc import Sequence

import httpx2
from pydantic import BaseModel, ConfigDict

from dashboard.sandbox.zoom import addresses, scopes, validation
from dashboard.sandbox.zoom.records import Subscription, ZoomApp, ZoomUser
from dashboard.sandbox.zoom.refusals import ApiError, RefusedError
from dashboard.sandbox.zoom.state import State

_MOST_AT_ONCE = 10
_MOST_SUBSCRIPTIONS = 20


class Asked(BaseModel):
    """The body of a creation or change, as far as it is understood."""

    model_config = ConfigDict(extra="ignore")

    event_subscription_id: str = ""
    event_subscription_name: str = ""
    event_webhook_url: str = ""
    events: list[str] = []
    subscription_scope: str = ""
    user_ids: list[str] = []
    account_id: str = ""

    def users(self) -> list[str]:
        """Return the user ids; Zoom's own example has two in one text."""
        return [one for text in self.user_ids for one in text.split(",") if one]


def create(
    state: State, http: httpx2.Client, app: ZoomApp, asked: Asked
) -> Subscription:
    """Make a subscription once its URL has answered the challenge.

    The lock is not held while the URL is challenged.

    Raises:
        ApiError: As Zoom refuses.
    """
    with state.lock:
        _check(state, app, asked)
        others = [one for one in state.subscriptions if one.client_id == app.client_id]
        if len(others) + 1 >= _MOST_SUBSCRIPTIONS:
            raise ApiError(400, 1500, "The app has too many event subscriptions.")
        users = _users(state, app, asked.users(), code=1300)
        accounts = _accounts(state, app, asked)
    _challenge(state, http, app, asked.event_webhook_url)
    made = Subscription(
        client_id=app.client_id,
        name=asked.event_subscription_name,
        url=asked.event_webhook_url,
        events=list(asked.events),
        scope="account" if asked.subscription_scope == "account" else "user",
        user_ids=[user.id for user in users],
        account_ids=accounts,
    )
    with state.lock:
        state.subscriptions.append(made)
    return made


def change(state: State, http: httpx2.Client, app: ZoomApp, asked: Asked) -> None:
    """Change URL, events or name of a subscription made by API.

    Raises:
        ApiError: As Zoom refuses; one made in the console is not found.
    """
    with state.lock:
        made = find(state, app, asked.event_subscription_id)
        url = asked.event_webhook_url or made.url
        _check_events(app, asked.events or made.events)
    if url != made.url:
        _challenge(state, http, app, url)
    with state.lock:
        made.url = url
        made.events = list(asked.events) or made.events
        made.name = asked.event_subscription_name or made.name


def join(state: State, app: ZoomApp, subscription_id: str, asked: Asked) -> None:
    """Subscribe users, or a whole account, to a subscription.

    Raises:
        ApiError: As Zoom refuses.
    """
    made = find(state, app, subscription_id)
    if made.scope == "account":
        accounts = _accounts(state, app, asked, code=1002)
        made.account_ids = list(dict.fromkeys([*made.account_ids, *accounts]))
        return
    users = _users(state, app, asked.users(), code=1002)
    made.user_ids = list(dict.fromkeys([*made.user_ids, *(user.id for user in users)]))


def delete(state: State, app: ZoomApp, subscription_id: str) -> None:
    """Delete a subscription made by API.

    Raises:
        ApiError: There is none with this id.
    """
    state.subscriptions.remove(find(state, app, subscription_id))


def listed(
    state: State, app: ZoomApp, *, scope: str, user_id: str, account_id: str
) -> list[dict[str, object]]:
    """Return the subscriptions of one user or account, the console's first.

    Raises:
        ApiError: The user is unknown, or nobody is named.
    """
    if scope not in {"", "user", "account"}:
        raise ApiError(400, 1500, "The subscription scope is invalid.")
    if scope == "account":
        subscriber = account_id
        mine = [one for one in _own(state, app) if account_id in one.account_ids]
    else:
        user = _user(state, user_id)
        if user.account_id != account_id:
            raise _no_user(user_id)
        subscriber = user.id
        mine = [one for one in _own(state, app) if user.id in one.user_ids]
    if not subscriber:
        raise ApiError(400, 1500, "The account id is empty.")
    shown = [_shown(one, subscriber) for one in mine]
    if app.webhook_url is None or app.validated_at is None:
        return shown
    by_hand: dict[str, object] = {
        "event_subscription_id": app.console_subscription_id,
        "events": app.events,
        "event_subscription_name": "Event subscription",
        "event_webhook_url": app.webhook_url,
        "subscription_scope": scope or "user",
        "created_source": "default",
        "subscriber_id": subscriber,
    }
    return [by_hand, *shown]


def find(state: State, app: ZoomApp, subscription_id: str) -> Subscription:
    """Return the app's subscription made by API.

    Raises:
        ApiError: There is none with this id.
    """
    for made in _own(state, app):
        if made.id == subscription_id:
            return made
    raise ApiError(404, 1601, f"App event subscription is invalid: {subscription_id}")


def _own(state: State, app: ZoomApp) -> list[Subscription]:
    return [one for one in state.subscriptions if one.client_id == app.client_id]


def _shown(made: Subscription, subscriber: str) -> dict[str, object]:
    return {
        "event_subscription_id": made.id,
        "events": made.events,
        "event_subscription_name": made.name,
        "event_webhook_url": made.url,
        "subscription_scope": made.scope,
        "created_source": "openapi",
        "subscriber_id": subscriber,
    }


def _check(state: State, app: ZoomApp, asked: Asked) -> None:
    if not asked.events:
        raise ApiError(400, 1500, "The events list is empty.")
    if not asked.event_webhook_url:
        raise ApiError(400, 1500, "The event webhook url is empty.")
    if asked.subscription_scope not in {"user", "account"}:
        raise ApiError(400, 1500, "The subscription scope is invalid.")
    if not addresses.is_public(asked.event_webhook_url, allow_local=state.allow_local):
        raise _not_validated(asked.event_webhook_url)
    _check_events(app, asked.events)


def _check_events(app: ZoomApp, events: Sequence[str]) -> None:
    for event in events:
        if event not in scopes.EVENTS:
            raise ApiError(404, 1601, f"App event not exists: {event}")
        if not scopes.is_allowed(event, app.scopes):
            raise ApiError(400, 1602, f"The event is not allowed for the app: {event}")


def _challenge(state: State, http: httpx2.Client, app: ZoomApp, url: str) -> None:
    try:
        verdict = validation.challenge(state, http, app, url)
    except RefusedError:
        raise _not_validated(url) from None
    if not verdict.valid:
        raise _not_validated(url)


def _users(
    state: State, app: ZoomApp, ids: Sequence[str], *, code: int
) -> list[ZoomUser]:
    if len(ids) > _MOST_AT_ONCE:
        raise ApiError(400, 300, "Validation Failed.")
    users = [_user(state, user_id) for user_id in ids]
    for user in users:
        if state.living_grant(app.client_id, user.id) is None:
            raise ApiError(400, code, f"The user don't authorize the app: {user.id}.")
    return users


def _accounts(
    state: State, app: ZoomApp, asked: Asked, *, code: int = 1300
) -> list[str]:
    if asked.subscription_scope == "user":
        return []
    account_id = asked.account_id
    for grant in state.grants:
        living = grant.ended is None and grant.user_id is not None
        if grant.client_id == app.client_id and living:
            account_id = account_id or grant.account_id
            if grant.account_id == account_id:
                return [account_id]
    raise ApiError(400, code, "The user don't authorize the app.")


def _user(state: State, user_id: str) -> ZoomUser:
    user = state.users.get(user_id)
    if user is None:
        raise _no_user(user_id)
    return user


def _no_user(user_id: str) -> ApiError:
    return ApiError(
        404, 1001, f"User does not exist or does not belong to this account: {user_id}."
    )


def _not_validated(url: str) -> ApiError:
    return ApiError(404, 1701, f"The event webhook url validate failed: {url}.")
