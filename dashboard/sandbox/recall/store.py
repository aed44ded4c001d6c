"""Everything the simulated Recall knows, in memory, behind one lock."""

import secrets
import threading
import uuid
from collections import Counter, defaultdict, deque
from itertools import count

import httpx2

from dashboard.sandbox.clock import SimClock
from dashboard.sandbox.recall import signing
from dashboard.sandbox.recall.outside import Outside
from dashboard.sandbox.recall.records import (
    App,
    Credential,
    Grant,
    Health,
    Kind,
    LogEntry,
    Mapping,
    Received,
    StoredAnswer,
    Workspace,
)
from dashboard.sandbox.recall.switches import Switches
from dashboard.sandbox.recall.throttle import Throttle

REGIONS = ("us-west-2", "us-east-1", "eu-central-1", "ap-northeast-1")
_RECEIVED_KEPT = 10_000
_ERRORS_UNTIL_UNHEALTHY = 3


class Store:
    """The simulated Recall's state.

    Methods are safe to call from any thread. Requests to the outside are never made
    while `lock` is held.

    Attributes:
        clock: Time, shared with the simulated Zoom.
        allow_local: Accept http, localhost and IP addresses in payloads.
        outside: Every request this Recall makes itself.
        lock: Held while anything below is read or changed.
        switches: See `Switches`.
    """

    def __init__(
        self,
        clock: SimClock,
        *,
        zoom_url: str,
        allow_local: bool = False,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.clock = clock
        self.allow_local = allow_local
        self.outside = Outside(zoom_url=zoom_url.rstrip("/"), transport=transport)
        self.lock = threading.RLock()
        self.throttle = Throttle()
        self.reset()

    def reset(self) -> None:
        """Forget everything, workspaces included, and put the switches back."""
        with self.lock:
            self._seq = count(1)
            self.switches = Switches()
            self.workspaces: dict[str, Workspace] = {}
            self.apps: dict[str, App] = {}
            self.credentials: dict[str, Credential] = {}
            self.mappings: dict[tuple[int, str], Mapping] = {}
            self.app_logs: list[LogEntry] = []
            self.credential_logs: list[LogEntry] = []
            self.received: deque[Received] = deque(maxlen=_RECEIVED_KEPT)
            # SHA-256 of each body ever received -> how often each status answered it.
            self.digests: defaultdict[str, Counter[int]] = defaultdict(Counter)
            self.throttle.reset()
            # Idempotency key, caller and path -> stored answer; None while it runs.
            self.answers: dict[tuple[str, str, str], StoredAnswer | None] = {}

    def add_workspace(
        self, region: str = REGIONS[0], api_key: str | None = None
    ) -> Workspace:
        """Return the workspace of `api_key`, made if new; no key makes a new one.

        Raises:
            ValueError: The region is not one of Recall's, or the key belongs to a
                workspace of another region.
        """
        if region not in REGIONS:
            raise ValueError(f"The region is one of {', '.join(REGIONS)}.")
        key = api_key or "simulated-recall-key-" + secrets.token_hex(20)
        with self.lock:
            made = self.workspaces.setdefault(
                key, Workspace(region=region, api_key=key)
            )
        if made.region != region:
            raise ValueError("This API key belongs to another region.")
        return made

    def renew_verification_secret(self, api_key: str) -> str:
        """Give a workspace a new verification secret and return it.

        Raises:
            KeyError: No workspace has this key.
        """
        with self.lock:
            workspace = self.workspaces[api_key]
            return signing.renew(workspace, now=self.clock.now())

    def add_app(
        self,
        workspace: Workspace,
        *,
        kind: Kind,
        client_id: str,
        client_secret: str,
        webhook_secret: str,
    ) -> App:
        """Record a Zoom OAuth App."""
        with self.lock:
            app = App(
                seq=next(self._seq),
                workspace=workspace,
                id=str(uuid.uuid4()),
                kind=kind,
                client_id=client_id,
                client_secret=client_secret,
                webhook_secret=webhook_secret,
                created_at=self.clock.now(),
            )
            self.apps[app.id] = app
            return app

    def remove_app(self, app: App) -> None:
        """Forget an app with its credentials and their mappings (our choice)."""
        with self.lock:
            self.apps.pop(app.id, None)
            for credential in self.credentials_of(app):
                self.remove_credential(credential)

    def credentials_of(self, app: App) -> list[Credential]:
        """Return the app's credentials, oldest first."""
        with self.lock:
            return [one for one in self.credentials.values() if one.app is app]

    def add_credential(
        self, app: App, grant: Grant, callback_url: str | None
    ) -> Credential:
        """Record a connected user or account; its first sync starts by itself."""
        with self.lock:
            credential = Credential(
                seq=next(self._seq),
                workspace=app.workspace,
                app=app,
                id=str(uuid.uuid4()),
                grant=grant,
                access_token_callback_url=callback_url,
                created_at=self.clock.now(),
            )
            self.credentials[credential.id] = credential
            return credential

    def remove_credential(self, credential: Credential) -> None:
        """Forget a credential and its mappings; nothing is revoked at Zoom."""
        with self.lock:
            self.credentials.pop(credential.id, None)
            for key in [key for key in self.mappings if key[1] == credential.id]:
                del self.mappings[key]

    def map_meeting(self, meeting_id: int, credential: Credential) -> None:
        """Note that `credential` answers for a meeting number, as of now."""
        with self.lock:
            now, key = self.clock.now(), (meeting_id, credential.id)
            if key in self.mappings:
                self.mappings[key].synced_at = now
            elif credential.id in self.credentials:
                self.mappings[key] = Mapping(
                    seq=next(self._seq),
                    workspace=credential.workspace,
                    meeting_id=meeting_id,
                    credential=credential.id,
                    synced_at=now,
                )

    def log_app(self, app: App, message: str) -> None:
        """Add a warning to the app's log."""
        with self.lock:
            entry = LogEntry(
                seq=next(self._seq),
                workspace=app.workspace,
                about="oauth_app",
                subject=app.id,
                message=message,
                created_at=self.clock.now(),
            )
            self.app_logs.append(entry)

    def log_credential(self, credential: Credential, message: str) -> None:
        """Add a warning to the credential's log."""
        with self.lock:
            entry = LogEntry(
                seq=next(self._seq),
                workspace=credential.workspace,
                about="credential",
                subject=credential.id,
                message=message,
                created_at=self.clock.now(),
            )
            self.credential_logs.append(entry)

    def record_failure(self, credential: Credential, message: str) -> None:
        """Log a token failure; the third in a row makes the credential unhealthy."""
        with self.lock:
            self.log_credential(credential, message)
            credential.errors += 1
            if credential.errors >= _ERRORS_UNTIL_UNHEALTHY:
                credential.status = Health.UNHEALTHY
