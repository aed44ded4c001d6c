"""Event subscriptions: who gets an event, and those managed by API.

Paths, bodies, codes and messages are those of Zoom's published API description of
February and July 2026 (docs/contracts/zoom.md 5.7). It does not describe the body of
`PATCH` on the collection: here it takes the names of the creation and
`event_subscription_id`.
"""

from collections.abc import Iterator, Sequence

import httpx2
from pydantic import BaseModel, ConfigDict

from dashboard.sandbox.zoom import apps, scopes, webhooks
from dashboard.sandbox.zoom.errors import ApiError, RefusedError
from dashboard.sandbox.zoom.records import Kind, Subscription, ZoomApp, ZoomUser
from dashboard.sandbox.zoom.state import State

_MAX_USERS_AT_ONCE = 10
_MAX_SUBSCRIPTIONS = 20


class SubscriptionRequest(BaseModel):
    """The body of a creation or change; other fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    event_subscription_id: str = ""
    event_subscription_name: str = ""
    event_webhook_url: str = ""
    events: list[str] = []
    subscription_scope: str = ""
    user_ids: list[str] = []
    account_id: str = ""

    def users(self) -> list[str]:
        """Return the user IDs; Zoom's own example has two in one string."""
        return [one for text in self.user_ids for one in text.split(",") if one]


def create(
    state: State, http: httpx2.Client, app: ZoomApp, body: SubscriptionRequest
) -> Subscription:
    """Create a subscription after its URL is validated.

    The lock is not held during the validation.

    Raises:
        ApiError: As Zoom refuses.
    """
    with state.lock:
        _check(state, app, body)
        others = [one for one in state.subscriptions if one.client_id == app.client_id]
        if len(others) + 1 >= _MAX_SUBSCRIPTIONS:
            raise ApiError(400, 1500, "The app has too many event subscriptions.")
        users = _users(state, app, body.users(), code=1300)
        accounts = _accounts(state, app, body)
    _require_validation(state, http, app, body.event_webhook_url)
    subscription = Subscription(
        client_id=app.client_id,
        name=body.event_subscription_name,
        url=body.event_webhook_url,
        events=list(body.events),
        scope="account" if body.subscription_scope == "account" else "user",
        user_ids=[user.id for user in users],
        account_ids=accounts,
    )
    with state.lock:
        state.subscriptions.append(subscription)
    return subscription


def change(
    state: State, http: httpx2.Client, app: ZoomApp, body: SubscriptionRequest
) -> None:
    """Change the URL, events or name of a subscription created by API.

    Raises:
        ApiError: As Zoom refuses; one created in the console is not found.
    """
    with state.lock:
        subscription = find(state, app, body.event_subscription_id)
        url = body.event_webhook_url or subscription.url
        _check_events(app, body.events or subscription.events)
    if url != subscription.url:
        _require_validation(state, http, app, url)
    with state.lock:
        subscription.url = url
        subscription.events = list(body.events) or subscription.events
        subscription.name = body.event_subscription_name or subscription.name


def add_subscribers(
    state: State, app: ZoomApp, subscription_id: str, body: SubscriptionRequest
) -> None:
    """Add users, or a whole account, to a subscription.

    Raises:
        ApiError: As Zoom refuses.
    """
    subscription = find(state, app, subscription_id)
    if subscription.scope == "account":
        accounts = _accounts(state, app, body, code=1002)
        subscription.account_ids = list(
            dict.fromkeys([*subscription.account_ids, *accounts])
        )
        return
    users = _users(state, app, body.users(), code=1002)
    subscription.user_ids = list(
        dict.fromkeys([*subscription.user_ids, *(user.id for user in users)])
    )


def delete(state: State, app: ZoomApp, subscription_id: str) -> None:
    """Delete a subscription created by API.

    Raises:
        ApiError: There is none with this ID.
    """
    state.subscriptions.remove(find(state, app, subscription_id))


def list_of_subscriber(
    state: State, app: ZoomApp, *, scope: str, user_id: str, account_id: str
) -> list[dict[str, object]]:
    """Return the subscriptions of a user or account, the console's first.

    Raises:
        ApiError: The user is unknown, or the account ID is empty.
    """
    if scope not in {"", "user", "account"}:
        raise ApiError(400, 1500, "The subscription scope is invalid.")
    if scope == "account":
        subscriber = account_id
        found = [
            one for one in _created_by_api(state, app) if account_id in one.account_ids
        ]
    else:
        user = _user(state, user_id)
        if user.account_id != account_id:
            raise _no_user(user_id)
        subscriber = user.id
        found = [one for one in _created_by_api(state, app) if user.id in one.user_ids]
    if not subscriber:
        raise ApiError(400, 1500, "The account id is empty.")
    subscriptions = [_as_json(one, subscriber) for one in found]
    if app.webhook_url is None or app.validated_at is None:
        return subscriptions
    from_console: dict[str, object] = {
        "event_subscription_id": app.console_subscription_id,
        "events": app.events,
        "event_subscription_name": "Event subscription",
        "event_webhook_url": app.webhook_url,
        "subscription_scope": scope or "user",
        "created_source": "default",
        "subscriber_id": subscriber,
    }
    return [from_console, *subscriptions]


def find(state: State, app: ZoomApp, subscription_id: str) -> Subscription:
    """Return the app's subscription with this ID that was created by API.

    Raises:
        ApiError: There is none with this ID.
    """
    for subscription in _created_by_api(state, app):
        if subscription.id == subscription_id:
            return subscription
    raise ApiError(404, 1601, f"App event subscription is invalid: {subscription_id}")


def _created_by_api(state: State, app: ZoomApp) -> list[Subscription]:
    return [one for one in state.subscriptions if one.client_id == app.client_id]


def _as_json(subscription: Subscription, subscriber: str) -> dict[str, object]:
    new = {
        "client_auth_type": subscription.auth_type,
        "custom_params": subscription.custom_params,
    }
    return {
        "event_subscription_id": subscription.id,
        "events": subscription.events,
        "event_subscription_name": subscription.name,
        "event_webhook_url": subscription.url,
        "subscription_scope": subscription.scope,
        "created_source": "openapi",
        "subscriber_id": subscriber,
        **{name: value for name, value in new.items() if value is not None},
    }


def _check(state: State, app: ZoomApp, body: SubscriptionRequest) -> None:
    if not body.events:
        raise ApiError(400, 1500, "The events list is empty.")
    if not body.event_webhook_url:
        raise ApiError(400, 1500, "The event webhook url is empty.")
    if body.subscription_scope not in {"user", "account"}:
        raise ApiError(400, 1500, "The subscription scope is invalid.")
    if not apps.is_public(body.event_webhook_url, allow_local=state.allow_local):
        raise _not_validated(body.event_webhook_url)
    _check_events(app, body.events)


def _check_events(app: ZoomApp, events: Sequence[str]) -> None:
    for event in events:
        if event not in scopes.EVENTS:
            raise ApiError(404, 1601, f"App event not exists: {event}")
        if not scopes.is_allowed(event, app.scopes):
            raise ApiError(400, 1602, f"The event is not allowed for the app: {event}")


def _require_validation(
    state: State, http: httpx2.Client, app: ZoomApp, url: str
) -> None:
    try:
        result = webhooks.request_validation(state, http, app, url)
    except RefusedError:
        raise _not_validated(url) from None
    if not result.valid:
        raise _not_validated(url)


def _users(
    state: State, app: ZoomApp, ids: Sequence[str], *, code: int
) -> list[ZoomUser]:
    if len(ids) > _MAX_USERS_AT_ONCE:
        raise ApiError(400, 300, "Validation Failed.")
    users = [_user(state, user_id) for user_id in ids]
    for user in users:
        if state.active_grant(app.client_id, user.id) is None:
            raise ApiError(400, code, f"The user don't authorize the app: {user.id}.")
    return users


def _accounts(
    state: State, app: ZoomApp, body: SubscriptionRequest, *, code: int = 1300
) -> list[str]:
    if body.subscription_scope == "user":
        return []
    account_id = body.account_id
    for grant in state.grants:
        is_active = grant.ended is None and grant.user_id is not None
        if grant.client_id == app.client_id and is_active:
            account_id = account_id or grant.account_id
            if grant.account_id == account_id:
                return [account_id]
    raise ApiError(400, code, "The user don't authorize the app.")


def _user(state: State, user_id: str) -> ZoomUser:
    if user_id not in state.users:
        raise _no_user(user_id)
    return state.users[user_id]


def _no_user(user_id: str) -> ApiError:
    return ApiError(
        404, 1001, f"User does not exist or does not belong to this account: {user_id}."
    )


def _not_validated(url: str) -> ApiError:
    return ApiError(404, 1701, f"The event webhook url validate failed: {url}.")


def publish(
    state: State, user: ZoomUser, event: str, payload: dict[str, object]
) -> None:
    """Enqueue an event for each subscription to it; they may overlap."""
    payload = {
        "account_id": user.account_id,
        "operator": user.email,
        "operator_id": user.id,
        **payload,
    }
    for app in state.apps.values():
        if _can_access(state, app, user):
            for url in _subscribed_urls(state, app, user, event):
                webhooks.enqueue(state, app, event, payload, url=url)


def _subscribed_urls(
    state: State, app: ZoomApp, user: ZoomUser, event: str
) -> Iterator[str]:
    """Yield the URL of each subscription of the app to this event of this user."""
    # No events without validation since 2025-06-27 (docs/contracts/zoom.md 5.5).
    is_on = app.validated_at is not None and app.subscription_enabled
    if app.webhook_url is not None and is_on and event in app.events:
        yield app.webhook_url
    for subscription in state.subscriptions:
        if subscription.client_id != app.client_id or event not in subscription.events:
            continue
        if _includes(subscription, user):
            yield subscription.url


def _includes(subscription: Subscription, user: ZoomUser) -> bool:
    if subscription.scope == "account":
        return user.account_id in subscription.account_ids
    return user.id in subscription.user_ids


def _can_access(state: State, app: ZoomApp, user: ZoomUser) -> bool:
    if app.kind is Kind.USER_LEVEL:
        return state.active_grant(app.client_id, user.id) is not None
    return any(
        grant.client_id == app.client_id
        and grant.user_id is not None
        and grant.account_id == user.account_id
        and grant.ended is None
        for grant in state.grants
    )
