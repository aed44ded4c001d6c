"""What the receiver must know of each zoom app, kept in memory for about a second."""

import threading
import time
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import select

from dashboard.db import Database
from dashboard.errors import VaultError
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.services.signatures import NamedSecret, usable
from dashboard.vault import Vault

_FRESH_S = 1.0
_RECENT_S = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class AppCredentials:
    """A zoom app as the receiver sees it.

    Attributes:
        secrets: Current, then previous; without empty ones, so it may be empty.
        has_recall_app: Whether there is anywhere to forward to.
        version: Grows with each change.
    """

    id: UUID
    routing: Routing
    secrets: tuple[NamedSecret, ...]
    has_recall_app: bool
    version: int


class Keyring:
    """Opens secret tokens once a second instead of once a request; thread-safe."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        self._lock = threading.Lock()
        self._known: dict[UUID, tuple[float, AppCredentials]] = {}

    def find(self, app_id: UUID) -> AppCredentials | None:
        """Return the zoom app as it was at most a second ago, or None.

        An unknown one is always looked up: it may have been added just now.

        Raises:
            StorageError: The database cannot be read.
        """
        return self._find(app_id, _FRESH_S)

    def find_newer(self, app_id: UUID) -> AppCredentials | None:
        """Return the zoom app as it is now, for a secret that did not match.

        A flood of forged requests costs 20 look-ups a second, not one each.

        Raises:
            StorageError: The database cannot be read.
        """
        return self._find(app_id, _RECENT_S)

    def _find(self, app_id: UUID, oldest_s: float) -> AppCredentials | None:
        known = self._known.get(app_id)
        if known is not None and time.monotonic() - known[0] < oldest_s:
            return known[1]
        # One thread looks; the others wait for what it finds.
        with self._lock:
            known = self._known.get(app_id)
            if known is not None and time.monotonic() - known[0] < oldest_s:
                return known[1]
            return self._look(app_id)

    def _look(self, app_id: UUID) -> AppCredentials | None:
        looked_at = time.monotonic()
        with self._database.reading() as session:
            app = session.exec(select(ZoomApp).where(ZoomApp.id == app_id)).first()
        if app is None:
            self._known.pop(app_id, None)
            return None
        found = AppCredentials(
            id=app.id,
            routing=app.routing,
            secrets=tuple(usable(self._secrets(app))),
            has_recall_app=app.recall_app_id is not None
            and app.workspace_id is not None,
            version=app.version,
        )
        self._known[app_id] = (looked_at, found)
        return found

    def _secrets(self, app: ZoomApp) -> list[NamedSecret]:
        found = []
        for name, column, sealed in (
            ("current", "secret_token", app.secret_token),
            ("previous", "previous_secret_token", app.previous_secret_token),
        ):
            if not sealed:
                continue
            try:
                secret = self._vault.open_text(
                    sealed, table="zoom_app", column=column, row=app.id
                )
            except VaultError:
                # As good as none: 503 until the right key is back, never accepted.
                continue
            found.append(NamedSecret(name=name, secret=secret))
        return found
