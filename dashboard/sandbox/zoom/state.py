"""The data of the simulated Zoom behind one lock, and its switches.

Numbers in brackets are sections of docs/contracts/zoom.md.
"""

import random
import secrets
import threading
from collections import deque
from datetime import datetime
from itertools import count
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from dashboard.sandbox.clock import SimClock
from dashboard.sandbox.zoom.errors import MissingError
from dashboard.sandbox.zoom.records import (
    AppRequest,
    Code,
    Delivery,
    Grant,
    Mail,
    Meeting,
    Subscription,
    ZoomApp,
    ZoomUser,
    new_account_id,
)

Signing = Literal["right", "wrong_secret", "previous_secret", "no_header"]


class Switches(BaseModel):
    """Zoom's faults, variants and undocumented behaviour, each a named switch.

    The defaults are what is most likely. Unknown names and values are refused.

    Attributes:
        decline: What "Decline" does: `redirect` with `error=access_denied`, or
            `silence`: the browser stays with Zoom (2.5).
        pre_approval: Whether the account's admin must approve apps first (2.4).
        publishing: What `enable_publishing` makes of the pair in use: `promotes` it to
            production and adds a development pair, or `adds` a production pair
            (docs/contracts/recall.md 7.3; whether each app is promoted is unknown).
        withheld_scopes: Scopes that are never granted, whatever the user ticks.
        strict_form: Whether token parameters in the query string are refused (3.1).
        app_activation: Whether the token endpoint serves the app, or in which form it
            says that the app is not activated: `disabled` with `invalid_client`,
            `disabled_bare` without an error word, `unauthorized` (401
            `unauthorized_client`), or `odd` (`invalid_client` with other words).
        invalid_client_status: HTTP status for wrong client credentials (3.3).
        code_in_reason: Whether `Invalid authorization code` repeats the code (3.3).
        redirect_mismatch_error: `error` when the redirect URI differs (3.3).
        client_credentials: Whether apps may use that grant type (3.4).
        app_creation: In which form `POST /v2/marketplace/apps` answers: with the pair
            under `development_credentials` or `credentials`, or with the `id_only`;
            or that it is `denied` (12).
        manifest_forgets: What an imported manifest silently does not change (12).
        rotation: Whether apps may rotate their client secret, and whether the
            answer holds the new one (12).
        updates_subscriptions: Whether `PATCH …/app/event_subscription` exists; older
            descriptions of the API lack it (5.7).
        webhook_log: Whether the delivery log is `plain`, or `odd`: times without their
            seconds, numbers of failures below zero (5.9).
        customer: How the customer's own token server answers: `right`, or which
            mistake it makes (docs/contracts/recall.md 5).
        api_url: Which API host a token answer names: its `own`, a `regional` one of
            Zoom's, a `foreign` one, or none (`absent`) (3.2).
        certificates: In which form certificates of events are listed, or that the API
            lacks them (5.7).
        pmi_as: JSON type of `pmi` in `GET /users/me` (4.1).
        expired_token_code: `code` for an expired access token (4.3).
        missing_scope_status: HTTP status when a token lacks a scope (4.3).
        missing_scope_form: Its code, and whether the sentence names the scope (4.3).
        obf_meeting: Whether a token on behalf of a user wants a meeting (4.2).
        recording_refusal: Whether the refusal of a join token names the host's setting
            that forbids recording (4.3 documents neither form; both are guesses).
        rate_limit: Whether every REST call is answered 429, and in which form (4.4).
        signing: How webhooks are signed.
        validation_signing: How validation requests are signed.
        body: What happens to a webhook's body. `reserialised`, `gzip`, `base64` and
            `form` change the bytes after signing, as a proxy does; the others are
            signed as sent: `commented` is no JSON, `broken_text` no UTF-8.
        duplicate: Whether each event arrives twice (5.6).
        out_of_order: Whether every second event overtakes the one before it.
        late_s: Seconds of simulated time before the first attempt.
        ahead_s: How far Zoom's clock is ahead in `x-zm-request-timestamp`; below 0
            behind.
        timestamp_unit: Of that header (5.4: seconds; another was never seen).
        retry_timestamp: Whether a retry keeps its timestamp header (5.4).
        legacy_token: Whether the verification token is sent in `authorization` (5.2).
        old_object: Whether `user.updated` carries the old values (6).
        deauthorized_ts: Where `app_deauthorized` carries `event_ts` (6).
        data_retention: Whether it carries the old field `user_data_retention` (6).
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    decline: Literal["redirect", "silence"] = "redirect"
    pre_approval: bool = False
    publishing: Literal["promotes", "adds"] = "promotes"
    withheld_scopes: list[str] = []
    strict_form: bool = True
    app_activation: Literal[
        "on", "disabled", "disabled_bare", "unauthorized", "odd"
    ] = "on"
    invalid_client_status: Literal[400, 401] = 400
    code_in_reason: bool = False
    redirect_mismatch_error: Literal["invalid_request", "invalid_grant"] = (
        "invalid_request"
    )
    client_credentials: bool = True
    app_creation: Literal[
        "development_credentials", "credentials", "id_only", "denied"
    ] = "development_credentials"
    manifest_forgets: Literal[
        "nothing", "scopes", "redirect_url", "events", "webhook"
    ] = "nothing"
    rotation: Literal["on", "without_secret", "denied"] = "on"
    updates_subscriptions: bool = True
    webhook_log: Literal["plain", "odd"] = "plain"
    certificates: Literal["named", "list", "absent"] = "named"
    api_url: Literal["own", "regional", "foreign", "absent"] = "own"
    customer: Literal[
        "right",
        "no_token",
        "json",
        "quoted",
        "newline",
        "error_in_200",
        "ends_soon",
        "other_app",
        "revoked",
        "redirect",
        "open",
        "error_for_unknown",
    ] = "right"
    pmi_as: Literal["int", "string"] = "int"
    expired_token_code: Literal[124, 201] = 124
    missing_scope_status: Literal[400, 401, 403] = 400
    missing_scope_form: Literal["4711", "4700_bare", "201"] = "4711"
    obf_meeting: Literal["optional", "required"] = "optional"
    recording_refusal: Literal["named", "bare"] = "named"
    rate_limit: Literal["off", "qps", "daily"] = "off"
    signing: Signing = "right"
    validation_signing: Signing = "right"
    body: Literal[
        "right",
        "reserialised",
        "gzip",
        "base64",
        "form",
        "empty",
        "invalid_json",
        "commented",
        "broken_text",
        "oversized",
    ] = "right"
    duplicate: bool = False
    out_of_order: bool = False
    late_s: Annotated[int, Field(ge=0)] = 0
    ahead_s: int = 0
    timestamp_unit: Literal["seconds", "milliseconds"] = "seconds"
    retry_timestamp: Literal["same", "fresh"] = "same"
    legacy_token: bool = True
    old_object: bool = True
    deauthorized_ts: Literal["top", "payload", "absent"] = "top"
    data_retention: bool = False


_MAX_DELIVERIES = 10_000
_KEY_ORDER_SEED = 8  # any number; each run varies the order of keys alike


class State:
    """The data; change it only while holding `lock`.

    Attributes:
        deliveries: The newest ones, oldest first.
        pending: Those with an attempt ahead, by number.
        delays_next: Whether the next event is delayed (switch `out_of_order`).
        wake_sender: Set when a delivery is due at once.
        account_id: The account that apps and users belong to by default.
        server_app_secret: Of the account's one Server-to-Server OAuth app.
        domain_code: What the account's domains have to show (7.1).
    """

    def __init__(self, clock: SimClock, *, allow_local: bool) -> None:
        self.clock = clock
        self.allow_local = allow_local
        self.lock = threading.RLock()
        self.wake_sender = threading.Event()
        self.clear()

    def clear(self) -> None:
        """Delete everything and reset the switches; the clock is not changed."""
        with self.lock:
            self.account_id = new_account_id()
            self.server_app_secret = f"simSecret{secrets.token_hex(12)}"
            self.domain_code = f"ZOOM_verify_{secrets.token_hex(16)}"
            self.apps: dict[str, ZoomApp] = {}
            self.users: dict[str, ZoomUser] = {}
            self.meetings: dict[int, Meeting] = {}
            self.codes: dict[str, Code] = {}
            self.grants: list[Grant] = []
            self.deliveries: deque[Delivery] = deque(maxlen=_MAX_DELIVERIES)
            self.pending: dict[int, Delivery] = {}
            self.delays_next = True
            self.mails: list[Mail] = []
            self.subscriptions: list[Subscription] = []
            self.requests: list[AppRequest] = []
            self.switches = Switches()
            self.key_order = random.Random(_KEY_ORDER_SEED)  # noqa: S311 - not for secrets
            self._numbers = count(1)

    def now(self) -> datetime:
        """Return the simulated instant, aware, UTC."""
        return self.clock.now()

    def now_ms(self) -> int:
        """Return the simulated instant in milliseconds since the epoch."""
        return int(self.now().timestamp() * 1000)

    def next_number(self) -> int:
        """Return the next delivery number."""
        return next(self._numbers)

    def app(self, client_id: str) -> ZoomApp:
        """Return the app.

        Raises:
            MissingError: There is none with this client ID.
        """
        app = self.apps.get(client_id)
        if app is None:
            raise MissingError(f"There is no app with the client ID {client_id}.")
        return app

    def user(self, user_id: str) -> ZoomUser:
        """Return the user, deactivated ones included.

        Raises:
            MissingError: There is none with this ID.
        """
        user = self.users.get(user_id)
        if user is None:
            raise MissingError(f"There is no user with the ID {user_id}.")
        return user

    def meeting(self, meeting_id: int) -> Meeting:
        """Return the meeting.

        Raises:
            MissingError: There is none with this number.
        """
        meeting = self.meetings.get(meeting_id)
        if meeting is None:
            raise MissingError(f"There is no meeting with the number {meeting_id}.")
        return meeting

    def active_grant(self, client_id: str, user_id: str) -> Grant | None:
        """Return this user's grant to this app that has not ended."""
        for grant in self.grants:
            is_theirs = (grant.client_id, grant.user_id) == (client_id, user_id)
            if is_theirs and grant.ended is None:
                return grant
        return None
