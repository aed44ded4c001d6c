"""What the services and views work with: made once, in `dashboard.app`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from prometheus_client import Counter
from pydantic import SecretStr

from dashboard.clients.recall.api import Recall
from dashboard.clients.zoom.api import ZoomApi
from dashboard.clients.zoom.grants import ZoomGrants
from dashboard.clients.zoom.marketplace import ZoomMarketplace
from dashboard.clients.zoom.marketplace_apps import ZoomMarketplaceApps
from dashboard.clients.zoom.oauth import ZoomOAuth
from dashboard.clients.zoom.subscriptions import ZoomSubscriptions
from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.services.receiver.writer import WebhookWriter
from dashboard.services.staff.single_sign_on import SingleSignOn
from dashboard.settings import Settings
from dashboard.threads import SingleFlight
from dashboard.vault import Vault


class RecallFactory(Protocol):
    """Makes the client of a workspace; clients share connections."""

    def __call__(
        self, region: str, api_key: SecretStr, /, *, yields: bool = False
    ) -> Recall:
        """Return a client; one that yields leaves people a share of each budget."""


def _token_requests() -> Counter:
    return Counter(
        "dashboard_token_requests",
        "Token requests answered by this process.",
        ["status"],
        registry=None,
    )


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """Everything with a lifetime, closed by `close`.

    Attributes:
        public_url: Where browsers, Zoom and Recall reach us; no trailing slash.
        recall: Makes the client of a workspace.
        single_sign_on: None when staff sign in with passwords alone.
        flights: Refreshes under way in this process.
        token_requests: How many were answered in this process, by status.
        stopping: What `close` calls first: whoever has threads that use the rest.
        closing: What `close` calls at the end: clients' connections.
    """

    settings: Settings
    public_url: str
    clock: Clock
    database: Database
    vault: Vault
    zoom_oauth: ZoomOAuth
    zoom: ZoomApi
    zoom_grants: ZoomGrants
    zoom_subscriptions: ZoomSubscriptions
    zoom_marketplace: ZoomMarketplace
    zoom_marketplace_apps: ZoomMarketplaceApps
    recall: RecallFactory
    writer: WebhookWriter
    single_sign_on: SingleSignOn | None = None
    flights: SingleFlight = field(default_factory=SingleFlight)
    token_requests: Counter = field(default_factory=_token_requests)
    stopping: list[Callable[[], None]] = field(default_factory=list)
    closing: Sequence[Callable[[], None]] = ()

    def in_background(self) -> "Runtime":
        """Return the same for background work: its calls to Recall yield to people.

        What Recall has no room for then fails as Recall's own 429 does.
        """
        return replace(self, recall=partial(self.recall, yields=True))

    @property
    def hosted_url(self) -> str:
        """Where the pages for people who connect are; no trailing slash."""
        return self.settings.hosted_url or self.public_url

    def close(self) -> None:
        """Finish the refreshes and the intake's last batch; close what was opened."""
        for stop in self.stopping:
            stop()
        self.flights.close()
        self.writer.close()
        self.database.close()
        for close in self.closing:
            close()
