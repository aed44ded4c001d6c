"""The addresses that people carry to Zoom's console and to Recall."""

from uuid import UUID

from dashboard.clients.recall.api import REGIONS
from dashboard.settings import Settings


def webhook_url(public_url: str, zoom_app_id: UUID) -> str:
    """Return where Zoom posts to the dashboard; no trailing slash, no redirect."""
    return f"{public_url}/hooks/zoom/{zoom_app_id}"


def connect_url(public_url: str, slug: str) -> str:
    """Return the hosted page where users connect their Zoom account."""
    return f"{public_url}/connect/{slug}"


def invitation_url(public_url: str, slug: str, secret: str) -> str:
    """Return the address of a link made for one person; it is its secret."""
    return f"{connect_url(public_url, slug)}/i/{secret}"


def redirect_url(public_url: str) -> str:
    """Return the one OAuth redirect URL of all zoom apps; `state` tells which."""
    return f"{public_url}/oauth/zoom/callback"


def recall_base_url(settings: Settings, region: str) -> str:
    """Return the Recall host of a workspace's region, or the one set for all."""
    return settings.recall_url or REGIONS[region]
