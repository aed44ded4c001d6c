"""Who is told of an event (contracts/zoom.md 5.7)."""

from dashboard.sandbox.zoom import webhooks
from dashboard.sandbox.zoom.records import Kind, ZoomApp, ZoomUser
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
        if _listens(app, event) and _may_see(state, app, user):
            webhooks.queue(state, app, event, told)


def milliseconds(state: State) -> int:
    """Return the simulated instant in milliseconds since the epoch."""
    return int(state.now().timestamp() * 1000)


def _listens(app: ZoomApp, event: str) -> bool:
    # Unvalidated URLs get nothing since 2025-06-27 (contracts/zoom.md 5.5).
    return (
        app.webhook_url is not None
        and app.validated_at is not None
        and app.subscription_enabled
        and event in app.events
    )


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
