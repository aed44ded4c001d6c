"""Making and changing Zoom apps, with what the Marketplace refuses."""

from dashboard.sandbox.zoom import addresses, scopes, values
from dashboard.sandbox.zoom.records import Kind, ZoomApp
from dashboard.sandbox.zoom.refusals import RefusedError
from dashboard.sandbox.zoom.state import State

_URLS = {
    "redirect_url": "The OAuth Redirect URL",
    "webhook_url": "The event notification endpoint URL",
    "deauthorization_url": "The deauthorization endpoint URL",
}


def add(state: State, fields: dict[str, object]) -> ZoomApp:
    """Make an app from the fields given.

    Scopes and events left out are those the integration with Recall needs.

    Raises:
        RefusedError: A URL, scope or event the Marketplace does not take.
        ValidationError: An unknown field or a wrong type.
    """
    app = ZoomApp.model_validate({"account_id": state.account_id, **fields})
    if app.client_id in state.apps:
        raise RefusedError(f"There is an app with the client ID {app.client_id}.")
    if "scopes" not in fields:
        app.scopes = list(scopes.DEFAULTS[app.kind])
    if "events" not in fields:
        app.events = scopes.usual_events(app.scopes)
    _check(state, app)
    state.apps[app.client_id] = app
    return app


def change(state: State, client_id: str, fields: dict[str, object]) -> ZoomApp:
    """Change an app's fields; a new webhook URL is not validated yet.

    Raises:
        RefusedError: As for `add`; nothing is changed then.
        ValidationError: An unknown field or a wrong type.
    """
    app = state.app(client_id)
    if fields.get("webhook_url", app.webhook_url) != app.webhook_url:
        unproven = {"validated_at": None, "checked_at": None, "failures": 0}
        fields = {**unproven, **fields}
    changed = ZoomApp.model_validate({**app.model_dump(), **fields})
    if changed.client_id != client_id:
        raise RefusedError("A client ID cannot be changed.")
    _check(state, changed)
    for name in fields:
        setattr(app, name, getattr(changed, name))
    return app


def regenerate_secret_token(state: State, client_id: str) -> ZoomApp:
    """Replace the secret token; Zoom documents no time of grace for the old one."""
    app = state.app(client_id)
    app.previous_secret_token, app.secret_token = (
        app.secret_token,
        values.secret_token(),
    )
    return app


def _check(state: State, app: ZoomApp) -> None:
    for field, what in _URLS.items():
        url = getattr(app, field)
        if url is not None:
            addresses.require_public(url, what=what, allow_local=state.allow_local)
    for url in app.allow_list:
        addresses.require_public(
            url, what="Each entry of the allow list", allow_local=state.allow_local
        )
    _check_scopes(app)
    refused = [name for name in app.events if not scopes.is_allowed(name, app.scopes)]
    if refused:
        raise RefusedError(
            f"The event is not allowed for the app: {', '.join(refused)}."
        )


def _check_scopes(app: ZoomApp) -> None:
    wanted = app.kind is Kind.ACCOUNT_LEVEL
    wrong = [name for name in app.scopes if (":admin" in name) is not wanted]
    if wrong:
        raise RefusedError(
            f"These scopes do not belong to {app.kind.value} apps: {', '.join(wrong)}."
        )
    stray = set(app.optional_scopes) - set(app.scopes)
    if stray:
        raise RefusedError(
            f"Optional scopes must be among the scopes: {', '.join(sorted(stray))}."
        )
