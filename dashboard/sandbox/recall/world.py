"""The simulated Recall: its data behind one lock, and its switches.

Numbers in brackets are sections of docs/contracts/recall.md.
"""

import base64
import secrets
import threading
import uuid
from collections import Counter, defaultdict, deque
from itertools import count
from typing import Annotated, Any, Literal

import httpx2
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dashboard.sandbox.clock import SimClock
from dashboard.sandbox.recall.outgoing import OutgoingClient
from dashboard.sandbox.recall.rate_limits import RateLimiter
from dashboard.sandbox.recall.records import (
    App,
    Bot,
    Credential,
    Grant,
    Health,
    Kind,
    LogEntry,
    Mapping,
    Received,
    StoredAnswer,
    Workspace,
    to_iso,
)

REGIONS = ("us-west-2", "us-east-1", "eu-central-1", "ap-northeast-1")
_MAX_RECEIVED = 10_000
FATAL = (
    "zoom_sdk_app_not_published",
    "zoom_invalid_signature",
    "zoom_invalid_join_token",
    "zoom_sdk_credentials_missing",
    "zoom_obf_user_not_in_meeting",
    "zoom_requires_rtms",
    "meeting_requires_sign_in",
    "meeting_requires_registration",
    "zoom_web_disallowed",
    "zoom_email_blocked_by_admin",
    "automated bots",  # by its message alone
)
"""Sub codes with which a bot does not get in (3.9)."""
ENDED = ("timeout_exceeded_waiting_room", "bot_kicked_from_waiting_room")
"""Sub codes with which it leaves the waiting room again."""
_ERRORS_UNTIL_UNHEALTHY = 3


_Status = Annotated[int, Field(ge=200, le=599)]


class Switches(BaseModel):
    """What the documents leave open or contradict, and faults, as named switches.

    Unknown names and values are refused.

    Attributes:
        duplicate_client_id: Whether two apps may have the same client ID (3.1:
            unknown).
        reconnect: What connecting the same user again does: `upsert` (201, same id),
            `upsert_200`, or the old 400 of `conflict` (3.5).
        created_status: What a new credential is answered with.
        refresh_ahead: Whether access-token refreshes with less than 5 min left.
        meeting_sync: How a meeting sync ends, unless Zoom refuses.
        webhook_answer: `ok`, or the status the receiver always answers with.
        webhook_answer_to: Whether that is for all, or validation requests are answered
            as usual: then Recall rejects the events alone.
        webhook_body: What that answer holds.
        webhook_body_type: Its content type; "" for none.
        bad_signature: Status of the answer to an invalid signature (3.8: unknown).
        code_error: How a failed code exchange is answered: `detail` with a text,
            `nested_detail` with an object in it, or `nested_field` (1.7).
        timestamps: Which `x-zm-request-timestamp` is understood: whole seconds, or any
            number (3.8: unknown).
        unreadable: What a signed body is answered that is no JSON object: 400, or 200
            (3.8: unknown).
        max_age_s: Age up to which `x-zm-request-timestamp` is accepted; None for any.
        rate_limits: Whether the limits (1.5) apply.
        error_envelope: `drf`, or `invalid_request_data` or `detail` around field
            errors (1.7).
        credit_spent: Whether every API call is answered 402.
        refusal_words: Whether a token that can't be had is answered in Zoom's words, or
            in a sentence that says nothing of the cause (3.5: unknown).
        last_validation: Whether an app's `webhook_last_validation` is ever filled
            (3.8: unknown).
        bots: How bots fare: `records` where a join token is had, `waiting` in the
            waiting room for good, or one of the sub codes of 3.9, or any other.
        bots_free: Whether any bot is free; `none` is answered 507.
        list_order: Which items any list begins with (1.4: unknown).
        page_size: Items on a page of any list.
    """

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    duplicate_client_id: Literal["allow", "refuse"] = "allow"
    reconnect: Literal["upsert", "upsert_200", "conflict"] = "upsert"
    created_status: Literal["healthy", "unhealthy"] = "healthy"
    refresh_ahead: bool = True
    meeting_sync: Literal["completes", "fails"] = "completes"
    webhook_answer: Literal["ok"] | _Status = "ok"
    webhook_answer_to: Literal["all", "events"] = "all"
    webhook_body: str = ""
    webhook_body_type: str = "application/json"
    bad_signature: Annotated[int, Field(ge=400, le=499)] = 401
    code_error: Literal["detail", "nested_detail", "nested_field"] = "detail"
    timestamps: Literal["seconds", "any"] = "seconds"
    unreadable: Literal[200, 400] = 400
    max_age_s: Annotated[int, Field(ge=0)] | None = None
    rate_limits: bool = True
    error_envelope: Literal["drf", "invalid_request_data", "detail"] = "drf"
    credit_spent: bool = False
    refusal_words: Literal["zooms", "plain"] = "zooms"
    last_validation: Literal["kept", "never"] = "kept"
    bots: str = "records"
    bots_free: Literal["some", "none"] = "some"
    list_order: Literal["newest", "oldest"] = "newest"
    page_size: Annotated[int, Field(ge=1, le=1000)] = 20


class RecallWorld:
    """The data of the simulated Recall.

    Methods are safe in any thread. The lock is not held during outgoing requests.

    Attributes:
        clock: Time, shared with the simulated Zoom.
        allow_local: Accept http, localhost and IP addresses in payloads.
        outgoing: Client for Zoom and for token callbacks.
        lock: Held while data is read or changed.
        syncing: Held while meeting syncs are advanced.
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
        self.outgoing = OutgoingClient(
            zoom_url=zoom_url.rstrip("/"), transport=transport
        )
        self.lock = threading.RLock()
        self.syncing = threading.Lock()
        self.rate_limiter = RateLimiter()
        self.reset()

    def reset(self) -> None:
        """Delete everything, workspaces included, and reset the switches."""
        with self.lock:
            self._seq = count(1)
            self.switches = Switches()
            self.workspaces: dict[str, Workspace] = {}
            self.apps: dict[str, App] = {}
            self.credentials: dict[str, Credential] = {}
            self.mappings: dict[tuple[int, str], Mapping] = {}
            self.bots: dict[str, Bot] = {}
            self.app_logs: list[LogEntry] = []
            self.credential_logs: list[LogEntry] = []
            self.received: deque[Received] = deque(maxlen=_MAX_RECEIVED)
            # SHA-256 of each body received -> how often it got each status.
            self.digests: defaultdict[str, Counter[int]] = defaultdict(Counter)
            self.rate_limiter.reset()
            # Idempotency key, API key and path -> stored answer; None while running.
            self.answers: dict[tuple[str, str, str], StoredAnswer | None] = {}

    def add_workspace(
        self, region: str = REGIONS[0], api_key: str | None = None
    ) -> Workspace:
        """Return the workspace of `api_key`, created if new; by default a new one.

        Raises:
            ValueError: Recall does not have the region, or the key belongs to a
                workspace in another region.
        """
        if region not in REGIONS:
            raise ValueError(f"The region must be one of {', '.join(REGIONS)}.")
        key = api_key or "simulated-recall-key-" + secrets.token_hex(20)
        with self.lock:
            workspace = self.workspaces.setdefault(
                key, Workspace(region=region, api_key=key)
            )
        if workspace.region != region:
            raise ValueError("This API key belongs to another region.")
        return workspace

    def renew_verification_secret(self, api_key: str) -> str:
        """Add a verification secret to a workspace and return it.

        Raises:
            KeyError: No workspace has this key.
        """
        with self.lock:
            workspace = self.workspaces[api_key]
            return workspace.renew_secret(now=self.clock.now())

    def add_app(
        self,
        workspace: Workspace,
        *,
        kind: Kind,
        client_id: str,
        client_secret: str,
        webhook_secret: str,
    ) -> App:
        """Create a Zoom OAuth App."""
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
        """Delete an app, its credentials and their mappings (our choice)."""
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
        """Create a credential; its first meeting sync is due."""
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
        """Delete a credential and its mappings; nothing is revoked at Zoom."""
        with self.lock:
            self.credentials.pop(credential.id, None)
            for key in [key for key in self.mappings if key[1] == credential.id]:
                del self.mappings[key]

    def map_meeting(self, meeting_id: int, credential: Credential) -> None:
        """Map a meeting number to `credential`, as of now."""
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
            entry = self._log_entry(app.workspace, "oauth_app", app.id, message)
            self.app_logs.append(entry)

    def log_credential(self, credential: Credential, message: str) -> None:
        """Add a warning to the credential's log."""
        workspace, subject = credential.workspace, credential.id
        with self.lock:
            entry = self._log_entry(workspace, "credential", subject, message)
            self.credential_logs.append(entry)

    def record_failure(self, credential: Credential, message: str) -> None:
        """Log a token failure; the third in a row makes the credential unhealthy."""
        with self.lock:
            self.log_credential(credential, message)
            credential.errors += 1
            if credential.errors >= _ERRORS_UNTIL_UNHEALTHY:
                credential.status = Health.UNHEALTHY

    def set_switches(self, values: dict[str, Any]) -> dict[str, Any]:
        """Set switches by name and return all.

        Raises:
            ValueError: A name or value is unknown; the message is a sentence.
        """
        with self.lock:
            changed = {**self.switches.model_dump(), **values}
            try:
                self.switches = Switches.model_validate(changed)
            except ValidationError as error:
                first = error.errors()[0]
                sentence = f"Switch {first['loc'][0]!r}: {first['msg']}."
                raise ValueError(sentence) from None
            return self.switches.model_dump()

    def received_by(self, app_id: str | None = None) -> list[dict[str, Any]]:
        """Return the requests to the webhook receiver, oldest first, as JSON."""
        with self.lock:
            return [
                _received(one)
                for one in self.received
                if app_id is None or one.app == app_id
            ]

    def digests_by_status(self) -> dict[str, dict[str, int]]:
        """Return how often each body got each status, by SHA-256, as JSON."""
        with self.lock:
            return {
                digest: {str(status): times for status, times in counted.items()}
                for digest, counted in self.digests.items()
            }

    def state(self) -> dict[str, Any]:
        """Return all data as JSON, simulated secrets included."""
        with self.lock:
            return {
                "simulated": True,
                "now": to_iso(self.clock.now()),
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
                        "expires_at": to_iso(one.grant.expires_at),
                    }
                    for one in self.credentials.values()
                ],
                "mappings": [one.as_json() for one in self.mappings.values()],
                "app_logs": [one.as_json() for one in self.app_logs],
                "credential_logs": [one.as_json() for one in self.credential_logs],
                "received": self.received_by(),
                "calls": self.rate_limiter.counts(),
            }

    def _log_entry(
        self, workspace: Workspace, about: str, subject: str, message: str
    ) -> LogEntry:
        return LogEntry(
            seq=next(self._seq),
            workspace=workspace,
            about=about,
            subject=subject,
            message=message,
            created_at=self.clock.now(),
        )


def _received(one: Received) -> dict[str, Any]:
    return {
        "app": one.app,
        "at": to_iso(one.at),
        "headers": one.headers,
        "body": base64.b64encode(one.body).decode(),
        "status": one.status,
        "note": one.note,
    }
