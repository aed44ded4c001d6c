"""Who is told of an event (docs/contracts/zoom.md 5.7).

Subscriptions may overlap, and then the same event goes out once for each.
"""

from collections.abc import Iterator

from dashboard.sandbox.zoom import webhooks
from dashboard.sandbox.zoom.records import Kind, Subscription, ZoomApp, ZoomUser
from dashboard.sandbox.zoom.state import State


def publish(
    state: State, user: ZoomUser, event: str, payload: dict[str, object]
) -> None:
    """Queue the event for every app that subscribes to it and may see this user."""
    told = {
        "account_id": user.account_id,
        "operator": user.email,
        "operator_id": user.id,
        **payload,
    }
    for app in state.apps.values():
        if _may_see(state, app, user):
            for url in _listening(state, app, user, event):
                webhooks.queue(state, app, event, told, url=url)


def milliseconds(state: State) -> int:
    """Return the simulated instant in milliseconds since the epoch."""
    return int(state.now().timestamp() * 1000)


def _listening(state: State, app: ZoomApp, user: ZoomUser, event: str) -> Iterator[str]:
    """Yield the URL of each subscription of the app to this event of this user."""
    # Unvalidated URLs get nothing since 2025-06-27 (docs/contracts/zoom.md 5.5).
    is_on = app.validated_at is not None and app.subscription_enabled
    if app.webhook_url is not None and is_on and event in app.events:
        yield app.webhook_url
    for made in state.subscriptions:
        if made.client_id != app.client_id or event not in made.events:
            continue
        if _subscribes(made, user):
            yield made.url


def _subscribes(made: Subscription, user: ZoomUser) -> bool:
    if made.scope == "account":
        return user.account_id in made.account_ids
    return user.id in made.user_ids


def _may_see(state: State, app: ZoomApp, user: ZoomUser) -> bool:
    if app.kind is Kind.USER_LEVEL:
        return state.living_grant(app.client_id, user.id) is not None
    return any(
        grant.client_id == app.client_id
        and grant.user_id is not None
        and grant.account_id == user.account_id
        and grant.ended is None
        for grant in state.grants
    )
