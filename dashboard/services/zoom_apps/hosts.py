"""Which host of Zoom is asked: the settings', Zoom for Government's, or a grant's."""

from typing import TypeVar

from sqlmodel import Session

from dashboard.clients.zoom.api import ZoomApi
from dashboard.clients.zoom.hosts import ZoomHost
from dashboard.models.connection import Connection
from dashboard.models.held_grant import HeldGrant
from dashboard.models.zoom_app import ZoomApp, ZoomCloud

Client = TypeVar("Client", bound=ZoomHost)


def of_cloud(client: Client, cloud: ZoomCloud) -> Client:
    """Return a client for a service of Zoom's; the settings' hosts are commercial."""
    if cloud is ZoomCloud.COMMERCIAL:
        return client
    return client.at(client.government_url)


def of_grant(zoom: ZoomApi, app: ZoomApp, grant: HeldGrant | None) -> ZoomApi:
    """Return the API for a grant: at the host that came with its tokens."""
    if grant is not None and grant.api_url:
        return zoom.at(grant.api_url)
    return of_cloud(zoom, app.zoom_cloud)


def of_connection(session: Session, zoom: ZoomApi, row: Connection) -> ZoomApi:
    """Return the API for a connection, wherever its tokens are."""
    app = session.get_one(ZoomApp, row.zoom_app_id)
    return of_grant(zoom, app, session.get(HeldGrant, row.id))
