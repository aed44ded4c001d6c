"""An app's manifest: imported from a file or the API, exported again."""

import httpx2
from pydantic import ValidationError

from dashboard.sandbox.zoom import apps, manifests, validation
from dashboard.sandbox.zoom.records import Kind, ZoomApp
from dashboard.sandbox.zoom.refusals import RefusedError
from dashboard.sandbox.zoom.state import State

_USAGE = {Kind.USER_LEVEL: "USER_OPERATION", Kind.ACCOUNT_LEVEL: "ADMIN_MANAGEMENT"}


def take(
    state: State, http: httpx2.Client, client_id: str, manifest: object
) -> ZoomApp:
    """Fill the app's fields from a manifest; its webhook URL is challenged first.

    Of the two environments' fields those of this app's environment are read. The lock
    is not held while the URL is challenged.

    Raises:
        RefusedError: The manifest or something in it; nothing is changed then.
    """
    for complaint in manifests.complaints(manifest):
        raise RefusedError(f"{complaint.setting}: {complaint.message}.")
    fields = _read(manifest)
    with state.lock:
        app = state.app(client_id)
        _require_granular(app)
        oauth = fields["oauth_information"]
        if oauth["usage"] != _USAGE[app.kind]:
            raise RefusedError(
                f"The manifest is for {oauth['usage']}, this app is {app.kind.value}."
            )
        wanted = _settings(app, fields)
        before = app.model_dump()
        try:
            apps.change(state, client_id, wanted)
        except ValidationError:
            raise RefusedError("Something in the manifest has a wrong type.") from None
    url = wanted["webhook_url"]
    if not isinstance(url, str):
        return app
    verdict = validation.challenge(state, http, app, url)
    with state.lock:
        if not verdict.valid:
            for name in (*wanted, "validated_at", "checked_at", "failures"):
                setattr(app, name, before[name])
            raise RefusedError(f"{url}: {verdict.message}")
        app.validated_at = app.checked_at = verdict.attempt.at
        app.failures, app.subscription_enabled = 0, True
    return app


def give(app: ZoomApp) -> dict[str, object]:
    """Return the app's manifest, as far as it is simulated.

    Raises:
        RefusedError: The app has classic scopes.
    """
    _require_granular(app)
    here = app.environment.value
    usage = "USER" if app.kind is Kind.USER_LEVEL else "ADMIN"
    subscription = {
        "subscription_id": app.console_subscription_id,
        "subscription_name": "Event subscription",
        "event_types": app.events,
        "event_usage": f"EVENT_FOR_{usage}",
        f"{here}_webhook_url": app.webhook_url or "",
        "development_event_custom_header": None,
        "production_event_custom_header": None,
    }
    return {
        "display_information": {"display_name": app.name},
        "oauth_information": {
            "usage": _USAGE[app.kind],
            f"{here}_redirect_uri": app.redirect_url or "",
            "oauth_allow_list": app.allow_list,
            "strict_mode": app.strict_mode,
            "subdomain_strict_mode": False,
            "scopes": [
                {"scope": name, "optional": name in app.optional_scopes}
                for name in app.scopes
            ],
        },
        "features": {
            "products": [],
            "event_subscription": {
                "enable": app.subscription_enabled,
                "events": [subscription] if app.webhook_url else [],
            },
        },
    }


def _read(manifest: object) -> dict[str, dict[str, object]]:
    assert isinstance(manifest, dict)  # noqa: S101 - the validator saw to it
    return {"features": {}, **manifest}


def _settings(app: ZoomApp, fields: dict[str, dict[str, object]]) -> dict[str, object]:
    oauth, here = fields["oauth_information"], app.environment.value
    listed = oauth.get("scopes") or []
    assert isinstance(listed, list)  # noqa: S101 - the same
    subscription = fields["features"].get("event_subscription")
    events: list[dict[str, object]] = []
    if isinstance(subscription, dict) and subscription.get("enable"):
        events = subscription.get("events") or []
    first: dict[str, object] = events[0] if events else {}
    names = list(dict.fromkeys(one["scope"] for one in listed))
    return {
        "name": fields["display_information"]["display_name"],
        "redirect_url": oauth.get(f"{here}_redirect_uri") or None,
        "allow_list": oauth.get("oauth_allow_list") or [],
        "strict_mode": oauth.get("strict_mode") is True,
        "scopes": names,
        "optional_scopes": [
            one["scope"] for one in listed if one.get("optional") is True
        ],
        "events": first.get("event_types", []),
        "webhook_url": first.get(f"{here}_webhook_url") or None,
    }


def _require_granular(app: ZoomApp) -> None:
    classic = [
        name for name in app.scopes if name.removesuffix(":admin").count(":") < 2
    ]
    if classic:
        raise RefusedError(
            "You can only export manifest with app support granular scope now."
        )
