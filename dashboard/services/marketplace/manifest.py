"""The Zoom app manifest of one zoom app: a file that Zoom's console imports. Pure.

Source: docs/contracts/zoom.md 12, checked 2026-11-25. It holds what belongs to this
zoom app and nothing else, so an import does not touch names, logos or texts of the
listing.
"""

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from dashboard.errors import ConflictError
from dashboard.models.zoom_app import Environment, Kind, ScopeStyle
from dashboard.services.marketplace import console as consoles
from dashboard.services.marketplace.console import Console, Problem
from dashboard.services.zoom_apps.scopes import Scope

LONGEST_NAME = 49
"""Zoom wants fewer than 50 characters."""

_SUBSCRIPTION_NAME = "Recall.ai: meetings and personal meeting IDs"
_OTHER = {
    Environment.DEVELOPMENT: Environment.PRODUCTION,
    Environment.PRODUCTION: Environment.DEVELOPMENT,
}
_USAGE = {Kind.USER_LEVEL: "USER_OPERATION", Kind.ACCOUNT_LEVEL: "ADMIN_MANAGEMENT"}
_EVENT_USAGE = {
    Kind.USER_LEVEL: "EVENT_FOR_USER",
    Kind.ACCOUNT_LEVEL: "EVENT_FOR_ADMIN",
}


def problems(console: Console) -> Sequence[Problem]:
    """Return what would make an import fail, the worst first."""
    if console.scope_style is ScopeStyle.LEGACY:
        return [
            Problem(
                sentence="Zoom only supports manifests for apps with granular scopes, "
                "and this zoom app has legacy scopes.",
                advice="Enter its values by hand, following the set-up steps.",
                is_fatal=True,
            )
        ]
    if console.is_connected_elsewhere:
        return [
            Problem(
                sentence="Users connect in your own product, so the redirect URL is "
                "your own, and the dashboard doesn't know it.",
                advice="Enter the other values by hand, following the set-up steps.",
                is_fatal=True,
            )
        ]
    found = list(consoles.problems(console))
    if len(console.name) > LONGEST_NAME:
        found.append(
            Problem(
                sentence=f"Zoom accepts names of fewer than {LONGEST_NAME + 1} "
                "characters.",
                advice=f"The manifest uses “{_display_name(console)}”.",
            )
        )
    return found


def build(console: Console, *, with_events: bool = True) -> dict[str, object]:
    """Return the manifest, as JSON's values.

    Args:
        console: What belongs into it.
        with_events: Whether Zoom is to send events; it validates the webhook URL then.

    Raises:
        ConflictError: The file would fail at Zoom; the sentence says why.
    """
    fatal = next((one for one in problems(console) if one.is_fatal), None)
    if fatal is not None:
        raise ConflictError(str(fatal))
    # No products: no part of it runs inside Zoom's client, which is what products and
    # a home URI are for.
    features: dict[str, object] = {"products": []}
    if with_events:
        subscription = {"enable": True, "events": [_subscription(console)]}
        features["event_subscription"] = subscription
    return {
        "display_information": {"display_name": _display_name(console)},
        "oauth_information": _oauth(console),
        "features": features,
    }


@dataclass(frozen=True, kw_only=True)
class Found:
    """What an exported manifest has of one environment; "" and none where it lacks it.

    Attributes:
        webhook_url: Of the first subscription that sends our events, else of the first.
    """

    redirect_url: str
    scopes: AbstractSet[str]
    webhook_url: str
    events: AbstractSet[str]


def find(exported: Mapping[str, object], environment: Environment) -> Found:
    """Read what Zoom exported, whatever shape its parts have."""
    oauth = _part(exported, "oauth_information")
    switched = _part(_part(exported, "features"), "event_subscription")
    url = f"{environment.value}_webhook_url"
    listed = [] if switched.get("enable") is False else _rows(switched.get("events"))
    ours = [one for one in listed if set(consoles.EVENTS) <= _names(one)]
    chosen = next(iter([*ours, *listed]), {})
    return Found(
        redirect_url=str(oauth.get(f"{environment.value}_redirect_uri") or ""),
        scopes={str(one.get("scope")) for one in _rows(oauth.get("scopes"))},
        webhook_url=str(chosen.get(url) or ""),
        events=_names(chosen),
    )


def _names(subscription: Mapping[str, object]) -> AbstractSet[str]:
    names = subscription.get("event_types")
    return {str(one) for one in names} if isinstance(names, list) else set()


def _rows(value: object) -> Sequence[Mapping[str, object]]:
    rows = value if isinstance(value, list) else []
    return [one for one in rows if isinstance(one, dict)]


def _part(whole: Mapping[str, object], name: str) -> Mapping[str, object]:
    part = whole.get(name)
    return part if isinstance(part, dict) else {}


def text(console: Console) -> str:
    """Return the file's text: indented JSON with a line end.

    Raises:
        ConflictError: As `build`.
    """
    return json.dumps(build(console), indent=2, ensure_ascii=False) + "\n"


def file_name(console: Console) -> str:
    """Return what to call the file: "notetaker-8c1f….manifest.json"."""
    return f"{console.slug}-{console.environment.value}.manifest.json"


def _display_name(console: Console) -> str:
    return console.name[:LONGEST_NAME].rstrip()


def _oauth(console: Console) -> dict[str, object]:
    uris = {f"{console.environment.value}_redirect_uri": console.redirect_url}
    if console.twin_webhook_url is not None:
        # One redirect URL serves all; the twin's field is not to be emptied.
        uris[f"{_OTHER[console.environment].value}_redirect_uri"] = console.redirect_url
    return {
        "usage": _USAGE[console.kind],
        **uris,
        "oauth_allow_list": [console.redirect_url],
        "strict_mode": True,  # the connect page always sends exactly this URL
        "subdomain_strict_mode": False,
        # None is optional: without a required one the connection is useless, and the
        # others can't be deselected.
        "scopes": [{"scope": one.name, "optional": False} for one in console.scopes],
        "scope_description": " ".join(_in_short(one) for one in console.scopes),
    }


def _in_short(scope: Scope) -> str:
    # Zoom names no longest length; the whole reasons go into its review form.
    first = scope.reasons.reviewer.partition(". ")[0].rstrip(".")
    return f"{scope.name}: {first}."


def _subscription(console: Console) -> dict[str, object]:
    urls = {f"{console.environment.value}_webhook_url": console.webhook_url}
    if console.twin_webhook_url is not None:
        other = _OTHER[console.environment]
        urls[f"{other.value}_webhook_url"] = console.twin_webhook_url
    return {
        "subscription_name": _SUBSCRIPTION_NAME,
        "event_types": list(consoles.EVENTS),
        "event_usage": _EVENT_USAGE[console.kind],
        **urls,
        "development_event_custom_header": None,
        "production_event_custom_header": None,
    }
