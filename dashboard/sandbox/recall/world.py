"""The simulated Recall: its state, its switches and its work in the background."""

import base64
import threading
from typing import Any

import httpx2

from dashboard.sandbox.clock import SimClock
from dashboard.sandbox.recall import syncing
from dashboard.sandbox.recall.records import Received, written
from dashboard.sandbox.recall.store import Store
from dashboard.sandbox.recall.switches import turned


class RecallWorld(Store):
    """All that can be done to the simulated Recall from outside its API."""

    def __init__(
        self,
        clock: SimClock,
        *,
        zoom_url: str,
        allow_local: bool = False,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        super().__init__(
            clock, zoom_url=zoom_url, allow_local=allow_local, transport=transport
        )
        self._running = threading.Lock()

    def set_switches(self, values: dict[str, Any]) -> dict[str, Any]:
        """Set switches by name and return all.

        Raises:
            ValueError: A name is unknown or a value is not one of its values.
        """
        with self.lock:
            self.switches = turned(self.switches, values)
            return self.switches.model_dump()

    def run_due(self) -> int:
        """Take every running meeting sync one stage on; return how many there were."""
        with self._running:
            due = syncing.unfinished(self)
            for credential in due:
                syncing.advance(self, credential)
            return len(due)

    def received_by(self, app_id: str | None = None) -> list[dict[str, Any]]:
        """Return what the webhook receiver got, oldest first, as JSON."""
        with self.lock:
            return [
                _received(one)
                for one in self.received
                if app_id is None or one.app == app_id
            ]

    def digests_by_status(self) -> dict[str, dict[str, int]]:
        """Return how often each body was received, by SHA-256 and status, as JSON."""
        with self.lock:
            return {
                digest: {str(status): times for status, times in counted.items()}
                for digest, counted in self.digests.items()
            }

    def state(self) -> dict[str, Any]:
        """Return the whole world as JSON, simulated secrets included."""
        with self.lock:
            return {
                "simulated": True,
                "now": written(self.clock.now()),
                "switches": self.switches.model_dump(),
                "workspaces": [one.as_json() for one in self.workspaces.values()],
                "apps": [
                    {**one.as_json(), "workspace": one.workspace.api_key}
                    for one in self.apps.values()
                ],
                "credentials": [
                    {
                        **one.as_json(),
                        "workspace": one.workspace.api_key,
                        "errors": one.errors,
                        "access_token": one.grant.access_token,
                        "refresh_token": one.grant.refresh_token,
                        "expires_at": written(one.grant.expires_at),
                    }
                    for one in self.credentials.values()
                ],
                "mappings": [one.as_json() for one in self.mappings.values()],
                "app_logs": [one.as_json() for one in self.app_logs],
                "credential_logs": [one.as_json() for one in self.credential_logs],
                "received": self.received_by(),
                "calls": self.throttle.tallies(),
            }


def _received(one: Received) -> dict[str, Any]:
    return {
        "app": one.app,
        "at": written(one.at),
        "headers": one.headers,
        "body": base64.b64encode(one.body).decode(),
        "status": one.status,
        "note": one.note,
    }
