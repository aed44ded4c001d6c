"""The addresses that people carry to Zoom's console and to Recall."""

import secrets
from urllib.parse import quote, urlsplit
from uuid import UUID

from dashboard.clients.recall.api import REGIONS
from dashboard.errors import ConflictError
from dashboard.models.zoom_app import Environment, ZoomCloud
from dashboard.settings import Settings


def webhook_url(public_url: str, zoom_app_id: UUID) -> str:
    """Return where Zoom posts to the dashboard; no trailing slash, no redirect."""
    return f"{public_url}/hooks/zoom/{zoom_app_id}"


def connect_url(hosted_url: str, slug: str) -> str:
    """Return the hosted page where users connect their Zoom account."""
    return f"{hosted_url}/connect/{slug}"


def invitation_url(hosted_url: str, slug: str, secret: str) -> str:
    """Return the address of a link made for one person; it is its secret."""
    return f"{connect_url(hosted_url, slug)}/i/{secret}"


def redirect_url(hosted_url: str) -> str:
    """Return the one OAuth redirect URL of all zoom apps; `state` tells which."""
    return f"{hosted_url}/oauth/zoom/callback"


def recall_base_url(settings: Settings, region: str) -> str:
    """Return the Recall host of a workspace's region, or the one set for all."""
    return settings.recall_url or REGIONS[region]


_ZOOM_HOSTS = ("zoom.us", "zoomgov.com")


def zoom_console_url(
    settings: Settings,
    client_id: str | None = None,
    cloud: ZoomCloud = ZoomCloud.COMMERCIAL,
    *,
    app_id: str | None = None,
    environment: Environment = Environment.DEVELOPMENT,
) -> str:
    """Return where people find an app in Zoom: its page if Zoom's ID of it is known.

    Source: docs/contracts/zoom.md 1, checked 2026-11-30.

    Args:
        settings: Where Zoom is; a simulator has pages of its own.
        client_id: Leads to the app in a simulator.
        cloud: Which Marketplace.
        app_id: Zoom's own ID; None leads to the list of apps.
        environment: Which tab of the app's page.
    """
    host = urlsplit(settings.zoom_url).hostname
    if cloud is ZoomCloud.GOVERNMENT:
        host = _ZOOM_HOSTS[1]
    if host in _ZOOM_HOSTS and app_id:
        mode = "prod" if environment is Environment.PRODUCTION else "dev"
        page = f"applications/{quote(app_id, safe='')}/information?mode={mode}"
        return f"https://marketplace.{host}/develop/{page}"
    if host in _ZOOM_HOSTS:
        return f"https://marketplace.{host}/user/build"
    one = f"apps/{client_id}" if client_id else ""
    return f"{settings.zoom_url}/marketplace/{one}"


def recall_console_url(settings: Settings, region: str) -> str:
    """Return where people find their API keys in Recall, of the workspace's region."""
    if settings.recall_url:
        return f"{settings.recall_url}/"
    return f"{REGIONS[region]}/dashboard/developers/api-keys"


def recall_consoles(settings: Settings) -> dict[str, str]:
    """Return where API keys are found, by region; one place in a simulator."""
    if settings.recall_url:
        return {"Recall": recall_console_url(settings, "")}
    return {region: recall_console_url(settings, region) for region in REGIONS}


LONGEST_URL = 200
"""Characters of an address that Recall takes."""


_KEY_BYTES = 32


def new_key() -> str:
    """Return a key nobody can guess: 32 random bytes, 43 characters for a URL."""
    return secrets.token_urlsafe(_KEY_BYTES)


def token_url(public_url: str, key: str) -> str:
    """Return where Recall asks for the token; it holds the key.

    Raises:
        ConflictError: It is longer than Recall takes, because of the public URL.
    """
    url = f"{public_url}/tokens/{key}"
    if len(url) > LONGEST_URL:
        raise ConflictError(
            f"The address where Recall would ask for tokens has {len(url)} characters, "
            f"and Recall takes {LONGEST_URL}. An admin has to set a shorter "
            "DASHBOARD_PUBLIC_URL. No grant was taken."
        )
    return url
