"""Which host of Zoom is asked: the settings', Zoom for Government's, or a grant's."""

from typing import Protocol, Self, TypeVar

from sqlmodel import Session

from dashboard.clients.zoom.api import ZoomApi
from dashboard.models.connection import Connection
from dashboard.models.held_grant import HeldGrant
from dashboard.models.zoom_app import ZoomApp, ZoomCloud


class Movable(Protocol):
    """A client of Zoom's that can ask another host."""

    @property
    def government_url(self) -> str:
        """Its host of Zoom for Government."""

    def at(self, base_url: str) -> Self:
        """Return the same for another host."""


Client = TypeVar("Client", bound=Movable)


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
