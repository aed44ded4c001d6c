"""App manifests: validated, imported and exported (docs/contracts/zoom.md 12).

The validation accepts what the real one accepts: missing redirect fields, unknown
keys, a scope twice, `"optional": "false"`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import httpx2
from pydantic import ValidationError

from dashboard.sandbox.zoom import apps, scopes, webhooks
from dashboard.sandbox.zoom.errors import RefusedError
from dashboard.sandbox.zoom.records import Kind, ZoomApp
from dashboard.sandbox.zoom.state import State

_LONGEST_NAME = 50
_PRODUCTS = {
    *("ZOOM_MEETING", "ZOOM_CHAT", "ZOOM_PHONE", "ZOOM_ROOM", "ZOOM_WEBINAR"),
    *("ZOOM_CONTACT_CENTER", "ZOOM_WHITEBOARD", "ZOOM_EVENTS"),
}
_EVENT_USAGES = {"EVENT_FOR_USER", "EVENT_FOR_ADMIN"}
_HEADER_TYPES = {0, 1, 2, 3}
_USAGES = {Kind.USER_LEVEL: "USER_OPERATION", Kind.ACCOUNT_LEVEL: "ADMIN_MANAGEMENT"}


_FORGOTTEN: Mapping[str, tuple[str, ...]] = {
    "scopes": ("scopes", "optional_scopes", "events"),
    "redirect_url": ("redirect_url",),
    "events": ("events",),
    "webhook": ("webhook_url", "events"),
}


@dataclass(frozen=True)
class Problem:
    """What is wrong with a setting, for example `/oauth_information/scopes[0]`."""

    setting: str
    message: str


def find_problems(manifest: object) -> list[Problem]:
    """Return all problems; none if the manifest is valid."""
    if not isinstance(manifest, dict):
        return [Problem("/", "The manifest must be an object.")]
    found = [
        *_display(_part(manifest, "display_information")),
        *_oauth(_part(manifest, "oauth_information")),
    ]
    if "features" in manifest:
        found += _features(_part(manifest, "features"))
    return found


def validation_answer(manifest: object) -> dict[str, object]:
    """Return the answer of the validation endpoint, whose status is always 200."""
    found = find_problems(manifest)
    if not found:
        return {"ok": True, "error": "", "errors": None}
    errors = [{"setting": one.setting, "message": one.message} for one in found]
    return {"ok": False, "error": "invalid_manifest", "errors": errors}


def _display(display: Mapping[str, object]) -> Iterator[Problem]:
    name, at = display.get("display_name"), "/display_information/display_name"
    if not isinstance(name, str) or not name.strip():
        yield Problem(at, "display_name is required")
    elif len(name) >= _LONGEST_NAME:
        yield Problem(at, "display_name must be less than 50 characters")


def _oauth(oauth: Mapping[str, object]) -> Iterator[Problem]:
    usage = oauth.get("usage")
    if usage not in _USAGES.values():
        yield Problem("/oauth_information/usage", f"{usage} is not a valid usage")
        return
    listed = oauth.get("scopes") or []
    if not isinstance(listed, list):
        yield Problem("/oauth_information/scopes", "scopes must be a list")
        return
    for index, entry in enumerate(listed):
        name = entry.get("scope") if isinstance(entry, dict) else None
        is_scope = isinstance(name, str) and scopes.is_known(name)
        if not is_scope or str(name).endswith(":admin") != (
            usage == "ADMIN_MANAGEMENT"
        ):
            yield Problem(
                f"/oauth_information/scopes[{index}]",
                f"{name} is not a valid scope name when usage is {usage}",
            )
    optional = [one for one in listed if isinstance(one, dict) and one.get("optional")]
    if listed and len(optional) == len(listed):
        yield Problem(
            "/oauth_information/scopes", "at least one scope must not be optional"
        )


def _features(features: Mapping[str, object]) -> Iterator[Problem]:
    products = features.get("products") or []
    if not isinstance(products, list) or set(products) - _PRODUCTS:
        yield Problem("/features/products", "products has an unknown value")
    elif not products:
        for name in ("development_home_uri", "domain_allow_list"):
            if features.get(name):
                yield Problem(f"/features/{name}", "needs one of the products")
    subscription = _part(features, "event_subscription")
    events = subscription.get("events") or []
    if not isinstance(events, list):
        yield Problem("/features/event_subscription/events", "must be a list")
        return
    for index, entry in enumerate(events):
        at = f"/features/event_subscription/events[{index}]"
        if isinstance(entry, dict):
            yield from _subscription(entry, at)
        else:
            yield Problem(at, "must be an object")


def _subscription(entry: Mapping[str, object], at: str) -> Iterator[Problem]:
    types = entry.get("event_types")
    if not isinstance(types, list) or not types:
        yield Problem(f"{at}/event_types", "event_types is required")
    else:
        for name in types:
            if name not in scopes.EVENTS:
                yield Problem(f"{at}/event_types", f"{name} is not a valid event")
    if entry.get("event_usage") not in _EVENT_USAGES:
        yield Problem(f"{at}/event_usage", "event_usage is not valid")
    for environment in ("development", "production"):
        header = entry.get(f"{environment}_event_custom_header")
        if header is None:
            continue
        kind = header.get("custom_header_type") if isinstance(header, dict) else None
        if kind not in _HEADER_TYPES:
            name = f"{environment}_event_custom_header"
            yield Problem(f"{at}/{name}", "custom_header_type is not valid")


def _part(whole: Mapping[str, object], name: str) -> Mapping[str, object]:
    part = whole.get(name)
    return part if isinstance(part, dict) else {}


def import_manifest(
    state: State, http: httpx2.Client, client_id: str, manifest: object
) -> ZoomApp:
    """Change an app as the manifest says, after validating its webhook URL.

    Only the fields of this app's environment are used. The lock is not held during
    the validation.

    Raises:
        RefusedError: The manifest is invalid or refused; nothing is changed.
    """
    for problem in find_problems(manifest):
        raise RefusedError(f"{problem.setting}: {problem.message}.")
    fields = _sections(manifest)
    with state.lock:
        app = state.app(client_id)
        _require_draft(app)
        _require_granular(app)
        oauth = fields["oauth_information"]
        if oauth["usage"] != _USAGES[app.kind]:
            raise RefusedError(
                f"The manifest is for {oauth['usage']}, this app is {app.kind.value}."
            )
        wanted = _settings(app, fields)
        for name in _FORGOTTEN.get(state.switches.manifest_forgets, ()):
            wanted.pop(name)
        before = app.model_dump()
        try:
            apps.change(state, client_id, wanted)
        except ValidationError:
            raise RefusedError("Something in the manifest has a wrong type.") from None
    url = wanted.get("webhook_url")
    if not isinstance(url, str):
        return app
    result = webhooks.request_validation(state, http, app, url)
    with state.lock:
        if not result.valid:
            for name in (*wanted, "validated_at", "checked_at", "failures"):
                setattr(app, name, before[name])
            raise RefusedError(f"{url}: {result.message}")
        app.validated_at = app.checked_at = result.attempt.at
        app.failures, app.subscription_enabled = 0, True
    return app


def create_app(
    state: State, http: httpx2.Client, name: str, manifest: object
) -> ZoomApp:
    """Create an app from a manifest, with the development pair.

    Raises:
        RefusedError: The manifest is invalid or refused; there is no app.
    """
    for problem in find_problems(manifest):
        raise RefusedError(f"{problem.setting}: {problem.message}.")
    usage = _sections(manifest)["oauth_information"]["usage"]
    kind = next(kind for kind, word in _USAGES.items() if word == usage)
    with state.lock:
        app = apps.add(state, {"name": name, "kind": kind, "scopes": [], "events": []})
    try:
        return import_manifest(state, http, app.client_id, manifest)
    except RefusedError:
        with state.lock:
            del state.apps[app.client_id]
        raise


def export_manifest(app: ZoomApp) -> dict[str, object]:
    """Return the app's manifest with the simulated fields.

    Raises:
        RefusedError: The app has classic scopes, or is no draft any more.
    """
    _require_draft(app)
    _require_granular(app)
    environment = app.environment.value
    usage = "USER" if app.kind is Kind.USER_LEVEL else "ADMIN"
    subscription = {
        "subscription_id": app.console_subscription_id,
        "subscription_name": "Event subscription",
        "event_types": app.events,
        "event_usage": f"EVENT_FOR_{usage}",
        f"{environment}_webhook_url": app.webhook_url or "",
        "development_event_custom_header": None,
        "production_event_custom_header": None,
    }
    return {
        "display_information": {"display_name": app.name},
        "oauth_information": {
            "usage": _USAGES[app.kind],
            f"{environment}_redirect_uri": app.redirect_url or "",
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


def _sections(manifest: object) -> dict[str, dict[str, object]]:
    assert isinstance(manifest, dict)  # noqa: S101 - was validated
    return {"features": {}, **manifest}


def _settings(app: ZoomApp, fields: dict[str, dict[str, object]]) -> dict[str, object]:
    oauth, environment = fields["oauth_information"], app.environment.value
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
        "redirect_url": oauth.get(f"{environment}_redirect_uri") or None,
        "allow_list": oauth.get("oauth_allow_list") or [],
        "strict_mode": oauth.get("strict_mode") is True,
        "scopes": names,
        # Only `true` makes a scope optional, not the text "false".
        "optional_scopes": [
            one["scope"] for one in listed if one.get("optional") is True
        ],
        "events": first.get("event_types", []),
        "webhook_url": first.get(f"{environment}_webhook_url") or None,
    }


def _require_draft(app: ZoomApp) -> None:
    """Refuse an app that is no draft any more (docs/contracts/zoom.md 12)."""
    if app.published:
        raise RefusedError("You can only export/update Draft General app now.")


def _require_granular(app: ZoomApp) -> None:
    classic = [
        name for name in app.scopes if name.removesuffix(":admin").count(":") < 2
    ]
    if classic:
        raise RefusedError(
            "You can only export manifest with app support granular scope now."
        )
