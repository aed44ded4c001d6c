"""What the side bar lists: pages that exist and that this person may read."""

from dataclasses import dataclass

from flask import Flask, current_app, request, url_for
from flask_login import current_user

from dashboard.services.staff.permissions import Permission


@dataclass(frozen=True, kw_only=True)
class Place:
    """An entry of the side bar, before anyone looks at it.

    Attributes:
        endpoint: Left out while no view has this name.
        permission: Left out for those who may not.
        also: Further blueprints whose pages belong to it.
    """

    label: str
    endpoint: str
    icon: str
    permission: Permission
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
    account_url: str = ""


MAIN = (
    Place(
        label="Overview",
        endpoint="overview.index",
        icon="layout-dashboard",
        permission=Permission.OVERVIEW_READ,
    ),
    Place(
        label="Zoom apps",
        endpoint="zoom_apps.index",
        icon="apps",
        permission=Permission.ZOOM_APPS_READ,
        also=(
            *("going_live", "marketplace", "delivery_log", "custody"),
            *("domain", "bot_tests", "own_servers", "approvals"),
            *("app_creation", "rotation", "connect_button"),
        ),
    ),
    Place(
        label="Connections",
        endpoint="connections.index",
        icon="plug-connected",
        permission=Permission.CONNECTIONS_COUNT,
        also=("invitations", "attempts", "erasures"),
    ),
    Place(
        label="Webhooks",
        endpoint="webhooks.index",
        icon="webhook",
        permission=Permission.WEBHOOKS_READ,
        also=("resends",),
    ),
    Place(
        label="Explain",
        endpoint="explain.index",
        icon="help-circle",
        permission=Permission.CONNECTIONS_READ,
    ),
)

ACCOUNT = (
    Place(
        label="Endpoints",
        endpoint="endpoints.index",
        icon="send",
        permission=Permission.ENDPOINTS_READ,
    ),
    Place(
        label="Workspaces",
        endpoint="workspaces.index",
        icon="server",
        permission=Permission.WORKSPACES_READ,
        also=("recall_apps",),
    ),
    Place(
        label="Alerts",
        endpoint="alerts.index",
        icon="alert-triangle",
        permission=Permission.ALERTS_READ,
        also=("alert_channels",),
    ),
    Place(
        label="Staff",
        endpoint="staff.index",
        icon="users",
        permission=Permission.STAFF_READ,
    ),
    Place(
        label="API tokens",
        endpoint="api_tokens.index",
        icon="key",
        permission=Permission.API_TOKENS_WRITE,
    ),
    Place(
        label="Audit log",
        endpoint="audit.index",
        icon="list-details",
        permission=Permission.AUDIT_READ,
    ),
    Place(
        label="Settings",
        endpoint="settings.index",
        icon="settings",
        permission=Permission.SETTINGS_READ,
    ),
)

SIGN_OUT = "signin.destroy"
OWN = "account.index"


def navigation() -> Navigation:
    """Return the side bar for the person and page of this request."""
    return Navigation(
        entries=_entries(MAIN),
        account=_entries(ACCOUNT),
        sign_out_url=url_for(SIGN_OUT) if _exists(SIGN_OUT) else "",
        account_url=url_for(OWN) if _exists(OWN) else "",
    )


def first_page() -> str:
    """Return the address of the first page that this person may open."""
    return next(
        url_for(place.endpoint)
        for place in (*MAIN, *ACCOUNT)
        if _exists(place.endpoint) and current_user.can(place.permission)
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
        if _exists(place.endpoint) and current_user.can(place.permission)
    ]


def _exists(endpoint: str) -> bool:
    return endpoint in current_app.view_functions


def install(app: Flask) -> None:
    """Give the templates `navigation()`, called by the staff layout alone."""
    app.jinja_env.globals["navigation"] = navigation
