"""What Zoom says of a manifest (docs/contracts/zoom.md 12).

It lets through what the real one lets through: missing redirect fields, unknown keys,
a scope twice, `"optional": "false"`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dashboard.sandbox.zoom import scopes

_LONGEST_NAME = 50
_PRODUCTS = {
    *("ZOOM_MEETING", "ZOOM_CHAT", "ZOOM_PHONE", "ZOOM_ROOM", "ZOOM_WEBINAR"),
    *("ZOOM_CONTACT_CENTER", "ZOOM_WHITEBOARD", "ZOOM_EVENTS"),
}
_EVENT_USAGES = {"EVENT_FOR_USER", "EVENT_FOR_ADMIN"}
_HEADER_TYPES = {0, 1, 2, 3}


@dataclass(frozen=True)
class Complaint:
    """One thing wrong, and where: `/oauth_information/scopes[0]`."""

    setting: str
    message: str


def complaints(manifest: object) -> list[Complaint]:
    """Return everything the validator objects to; empty if it is content."""
    if not isinstance(manifest, dict):
        return [Complaint("/", "The manifest must be an object.")]
    found = [
        *_display(_part(manifest, "display_information")),
        *_oauth(_part(manifest, "oauth_information")),
    ]
    if "features" in manifest:
        found += _features(_part(manifest, "features"))
    return found


def answer(manifest: object) -> dict[str, object]:
    """Return what the validate endpoint answers, always with 200."""
    found = complaints(manifest)
    if not found:
        return {"ok": True, "error": "", "errors": None}
    errors = [{"setting": one.setting, "message": one.message} for one in found]
    return {"ok": False, "error": "invalid_manifest", "errors": errors}


def _display(display: Mapping[str, object]) -> Iterator[Complaint]:
    name, at = display.get("display_name"), "/display_information/display_name"
    if not isinstance(name, str) or not name.strip():
        yield Complaint(at, "display_name is required")
    elif len(name) >= _LONGEST_NAME:
        yield Complaint(at, "display_name must be less than 50 characters")


def _oauth(oauth: Mapping[str, object]) -> Iterator[Complaint]:
    usage = oauth.get("usage")
    if usage not in {"USER_OPERATION", "ADMIN_MANAGEMENT"}:
        yield Complaint("/oauth_information/usage", f"{usage} is not a valid usage")
        return
    listed = oauth.get("scopes") or []
    if not isinstance(listed, list):
        yield Complaint("/oauth_information/scopes", "scopes must be a list")
        return
    for place, entry in enumerate(listed):
        name = entry.get("scope") if isinstance(entry, dict) else None
        fits = isinstance(name, str) and scopes.is_known(name)
        if not fits or str(name).endswith(":admin") != (usage == "ADMIN_MANAGEMENT"):
            yield Complaint(
                f"/oauth_information/scopes[{place}]",
                f"{name} is not a valid scope name when usage is {usage}",
            )
    # Only the boolean makes it optional: the text "false" does not.
    optional = [one for one in listed if isinstance(one, dict) and one.get("optional")]
    if listed and len(optional) == len(listed):
        yield Complaint(
            "/oauth_information/scopes", "at least one scope must not be optional"
        )


def _features(features: Mapping[str, object]) -> Iterator[Complaint]:
    products = features.get("products") or []
    if not isinstance(products, list) or set(products) - _PRODUCTS:
        yield Complaint("/features/products", "products has an unknown value")
    elif not products:
        for name in ("development_home_uri", "domain_allow_list"):
            if features.get(name):
                yield Complaint(f"/features/{name}", "needs one of the products")
    subscription = _part(features, "event_subscription")
    events = subscription.get("events") or []
    if not isinstance(events, list):
        yield Complaint("/features/event_subscription/events", "must be a list")
        return
    for place, entry in enumerate(events):
        at = f"/features/event_subscription/events[{place}]"
        if isinstance(entry, dict):
            yield from _subscription(entry, at)
        else:
            yield Complaint(at, "must be an object")


def _subscription(entry: Mapping[str, object], at: str) -> Iterator[Complaint]:
    types = entry.get("event_types")
    if not isinstance(types, list) or not types:
        yield Complaint(f"{at}/event_types", "event_types is required")
    else:
        for name in types:
            if name not in scopes.EVENTS:
                yield Complaint(f"{at}/event_types", f"{name} is not a valid event")
    if entry.get("event_usage") not in _EVENT_USAGES:
        yield Complaint(f"{at}/event_usage", "event_usage is not valid")
    for environment in ("development", "production"):
        header = entry.get(f"{environment}_event_custom_header")
        if header is None:
            continue
        kind = header.get("custom_header_type") if isinstance(header, dict) else None
        if kind not in _HEADER_TYPES:
            name = f"{environment}_event_custom_header"
            yield Complaint(f"{at}/{name}", "custom_header_type is not valid")


def _part(whole: Mapping[str, object], name: str) -> Mapping[str, object]:
    part = whole.get(name)
    return part if isinstance(part, dict) else {}
