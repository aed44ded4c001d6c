"""Zoom apps: created and changed as the Marketplace allows, and the URLs it accepts.

Source: docs/contracts/zoom.md 1, 2.4 and 5.1.
"""

import ipaddress
from datetime import datetime
from urllib.parse import urlsplit

from dashboard.sandbox.zoom import scopes
from dashboard.sandbox.zoom.errors import RefusedError
from dashboard.sandbox.zoom.records import (
    Environment,
    Kind,
    ZoomApp,
    new_client_secret,
    new_secret_token,
)
from dashboard.sandbox.zoom.state import State

_URLS = {
    "redirect_url": "The OAuth Redirect URL",
    "webhook_url": "The event notification endpoint URL",
    "deauthorization_url": "The deauthorization endpoint URL",
}


def add(state: State, fields: dict[str, object]) -> ZoomApp:
    """Create an app; scopes and events default to what the integration needs.

    Raises:
        RefusedError: The Marketplace does not accept a URL, scope or event.
        ValidationError: An unknown field or a wrong type.
    """
    app = ZoomApp.model_validate({"account_id": state.account_id, **fields})
    if app.client_id in state.apps:
        raise RefusedError(f"There is an app with the client ID {app.client_id}.")
    if "scopes" not in fields:
        app.scopes = list(scopes.DEFAULTS[app.kind])
    if "events" not in fields:
        app.events = scopes.default_events(app.scopes)
    _check_app(state, app)
    state.apps[app.client_id] = app
    return app


def change(state: State, client_id: str, fields: dict[str, object]) -> ZoomApp:
    """Change fields of an app; a new webhook URL is not validated yet.

    Raises:
        RefusedError: As for `add`; nothing is changed.
        ValidationError: An unknown field or a wrong type.
    """
    app = state.app(client_id)
    if fields.get("webhook_url", app.webhook_url) != app.webhook_url:
        not_validated = {"validated_at": None, "checked_at": None, "failures": 0}
        fields = {**not_validated, **fields}
    changed = ZoomApp.model_validate({**app.model_dump(), **fields})
    if changed.client_id != client_id:
        raise RefusedError("A client ID cannot be changed.")
    _check_app(state, changed)
    for name in fields:
        setattr(app, name, getattr(changed, name))
    return app


def enable_publishing(state: State, client_id: str) -> ZoomApp:
    """Publish an app that has one pair; return the pair that comes with it.

    Either the pair in use becomes production's and a development pair is new, or the
    other way round (docs/contracts/recall.md 7.3).

    Raises:
        RefusedError: It has its production pair.
    """
    app = state.app(client_id)
    if app.environment is not Environment.DEVELOPMENT or app.published:
        raise RefusedError("This app has its production pair.")
    promotes = state.switches.publishing == "promotes"
    shared = app.model_dump(include={"name", "kind", "account_id", "scopes"})
    other = ZoomApp.model_validate(
        {
            **shared,
            "environment": Environment.DEVELOPMENT
            if promotes
            else Environment.PRODUCTION,
            "published": not promotes,
        }
    )
    if promotes:
        app.environment, app.published = Environment.PRODUCTION, True
    state.apps[other.client_id] = other
    return other


def rotate_client_secret(
    state: State, client_id: str, *, old_until: datetime
) -> ZoomApp:
    """Replace the client secret; the old one counts until then."""
    app = state.app(client_id)
    app.previous_client_secret = app.client_secret
    app.previous_client_secret_until = old_until
    app.client_secret = new_client_secret()
    return app


def regenerate_secret_token(state: State, client_id: str) -> ZoomApp:
    """Replace the secret token; Zoom documents no overlap with the old one."""
    app = state.app(client_id)
    app.previous_secret_token, app.secret_token = (
        app.secret_token,
        new_secret_token(),
    )
    return app


def _check_app(state: State, app: ZoomApp) -> None:
    for field, what in _URLS.items():
        url = getattr(app, field)
        if url is not None:
            require_public(url, what=what, allow_local=state.allow_local)
    for url in app.allow_list:
        require_public(
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
    unknown = set(app.optional_scopes) - set(app.scopes)
    if unknown:
        raise RefusedError(
            f"Optional scopes must be among the scopes: {', '.join(sorted(unknown))}."
        )


def require_public(url: str, *, what: str, allow_local: bool) -> None:
    """Refuse a URL that is not public.

    Raises:
        RefusedError: It is not an https URL with a public domain name. With
            `allow_local` http, localhost and IP addresses are accepted.
    """
    schemes = {"http", "https"} if allow_local else {"https"}
    scheme, host = _scheme_and_host(url)
    if scheme not in schemes or not host:
        raise RefusedError(f"{what} must be a complete https URL.")
    if not allow_local and (_is_ip(host) or "." not in host):
        raise RefusedError(f"{what} must have a public domain name, not an IP address.")


def is_public(url: str, *, allow_local: bool) -> bool:
    """Whether `require_public` accepts the URL."""
    try:
        require_public(url, what="", allow_local=allow_local)
    except RefusedError:
        return False
    return True


def is_registered(app: ZoomApp, redirect_uri: str) -> bool:
    """Whether the app may be called back at this URL; case matters.

    Without strict mode an allow list entry that is a base URL covers every path
    below it.
    """
    listed = [url for url in (app.redirect_url, *app.allow_list) if url]
    if redirect_uri in listed:
        return True
    if app.strict_mode:
        return False
    bases = [url.rstrip("/") for url in app.allow_list if _is_base(url)]
    return any(redirect_uri.startswith(base + "/") for base in bases)


def _scheme_and_host(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:  # malformed IPv6 address
        return "", ""
    return parts.scheme, parts.hostname or ""


def _is_base(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.netloc) and parts.path in {"", "/"} and not parts.query


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
