"""What the services and views work with: made once, in `dashboard.app`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from dashboard.clients.recall import Recall
from dashboard.clients.zoom import ZoomApi
from dashboard.clients.zoom_oauth import ZoomOAuth
from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.services.intake import Intake
from dashboard.settings import Settings
from dashboard.vault import Vault

RecallFactory = Callable[[str, SecretStr], Recall]
"""(region, API key) -> a client of that workspace; clients share connections."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything with a lifetime, closed by `close`.

    Attributes:
        public_url: Where browsers, Zoom and Recall reach us; no trailing slash.
        recall: Makes the client of a workspace.
        closing: What `close` calls at the end: clients' connections.
    """

    settings: Settings
    public_url: str
    clock: Clock
    database: Database
    vault: Vault
    zoom_oauth: ZoomOAuth
    zoom: ZoomApi
    recall: RecallFactory
    intake: Intake
    closing: Sequence[Callable[[], None]] = ()

    def close(self) -> None:
        """Finish the intake's last batch; close the database and connections."""
        self.intake.close()
        self.database.close()
        for close in self.closing:
            close()
