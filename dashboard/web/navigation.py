"""What the side bar lists: pages that exist and that this person may read."""

from dataclasses import dataclass

from flask import Flask, current_app, request, url_for
from flask_login import current_user


@dataclass(frozen=True, kw_only=True)
class Place:
    """An entry of the side bar, before anyone looks at it.

    Attributes:
        endpoint: Left out while no view has this name.
        permission: Left out for those who may not; empty for every staff member.
        also: Further blueprints whose pages belong to it.
    """

    label: str
    endpoint: str
    icon: str
    permission: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An entry as drawn; `count` is short text at its right end, often empty."""

    label: str
    url: str
    icon: str
    is_current: bool
    count: str = ""


@dataclass(frozen=True, kw_only=True)
class Navigation:
    """The side bar of one person on one page; no address means the view is absent."""

    entries: list[Entry]
    account: list[Entry]
    sign_out_url: str


MAIN = (
    Place(label="Overview", endpoint="overview.index", icon="layout-dashboard"),
    Place(
        label="Zoom apps",
        endpoint="zoom_apps.index",
        icon="apps",
        also=(
            *("going_live", "marketplace", "delivery_log", "custody"),
            *("domain", "bot_tests", "own_servers", "approvals"),
            *("app_creation", "rotation"),
        ),
    ),
    Place(
        label="Connections",
        endpoint="connections.index",
        icon="plug-connected",
        also=("invitations", "attempts", "erasures"),
    ),
    Place(
        label="Webhooks",
        endpoint="webhooks.index",
        icon="webhook",
        also=("resends",),
    ),
    Place(label="Explain", endpoint="explain.index", icon="help-circle"),
)

ACCOUNT = (
    Place(
        label="Workspaces",
        endpoint="workspaces.index",
        icon="server",
        permission="workspaces:read",
        also=("recall_apps",),
    ),
    Place(label="Staff", endpoint="staff.index", icon="users", permission="staff:read"),
    Place(
        label="Audit log",
        endpoint="audit.index",
        icon="list-details",
        permission="audit:read",
    ),
)

SIGN_OUT = "signin.destroy"


def navigation() -> Navigation:
    """Return the side bar for the person and page of this request."""
    return Navigation(
        entries=_entries(MAIN),
        account=_entries(ACCOUNT),
        sign_out_url=url_for(SIGN_OUT) if _exists(SIGN_OUT) else "",
    )


def _entries(places: tuple[Place, ...]) -> list[Entry]:
    return [
        Entry(
            label=place.label,
            url=url_for(place.endpoint),
            icon=place.icon,
            is_current=request.blueprint
            in (place.endpoint.partition(".")[0], *place.also),
        )
        for place in places
        if _exists(place.endpoint) and _may(place.permission)
    ]


def _exists(endpoint: str) -> bool:
    return endpoint in current_app.view_functions


def _may(permission: str) -> bool:
    return not permission or bool(current_user.can(permission))


def install(app: Flask) -> None:
    """Give the templates `navigation()`, called by the staff layout alone."""
    app.jinja_env.globals["navigation"] = navigation
