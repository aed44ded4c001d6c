"""The ugly and the unknown sides of Zoom, each a named switch.

The defaults are what docs/contracts/zoom.md holds most likely.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Signing = Literal["right", "wrong_secret", "previous_secret", "no_header"]


class Switches(BaseModel):
    """All switches with their defaults; unknown names and values are refused.

    Attributes:
        decline: What "Decline" does: `redirect` with `error=access_denied`, or
            `silence`: the browser stays with Zoom (docs/contracts/zoom.md 2.5).
        pre_approval: Whether the account's admin must approve apps first (2.4).
        withheld_scopes: Scopes that are never granted, whatever the user ticks.
        strict_form: Whether token parameters in the query string are refused (3.1).
        invalid_client_status: HTTP status for a wrong pair (3.3).
        code_in_reason: Whether `Invalid authorization code` repeats the code (3.3).
        redirect_mismatch_error: `error` when the redirect URI differs (3.3).
        client_credentials: Whether that grant is open to the apps (3.4).
        updates_subscriptions: Whether `PATCH …/app/event_subscription` exists; older
            descriptions of the API lack it (5.7).
        pmi_as: JSON type of `pmi` in `GET /users/me` (4.1).
        expired_token_code: `code` for an expired access token (4.3).
        missing_scope_status: HTTP status beside code 4711 (4.3).
        recording_refusal: How a join token is refused where the host's setting forbids
            recording: naming it, or not (4.3 tells neither; both are guesses).
        rate_limit: Whether every REST call is answered 429, and in which form (4.4).
        signing: How webhooks are signed.
        challenge_signing: How url_validation requests are signed.
        body: What happens to a webhook's body. `reserialised` is sent in another
            spelling than was signed; the others are signed as sent.
        duplicate: Whether each event arrives twice (5.6).
        out_of_order: Whether every second event overtakes the one before it.
        late_s: Seconds of simulated time an event waits before its first try.
        retry_timestamp: Whether a retry keeps its timestamp header (5.4).
        legacy_token: Whether the verification token is sent in `authorization` (5.2).
        old_object: Whether `user.updated` tells the old values (6).
        deauthorized_ts: Where `app_deauthorized` carries `event_ts` (6).
        data_retention: Whether it carries the legacy `user_data_retention` (6).
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    decline: Literal["redirect", "silence"] = "redirect"
    pre_approval: bool = False
    withheld_scopes: list[str] = []
    strict_form: bool = True
    invalid_client_status: Literal[400, 401] = 400
    code_in_reason: bool = False
    redirect_mismatch_error: Literal["invalid_request", "invalid_grant"] = (
        "invalid_request"
    )
    client_credentials: bool = True
    updates_subscriptions: bool = True
    pmi_as: Literal["int", "string"] = "int"
    expired_token_code: Literal[124, 201] = 124
    missing_scope_status: Literal[400, 401, 403] = 400
    recording_refusal: Literal["named", "bare"] = "named"
    rate_limit: Literal["off", "qps", "daily"] = "off"
    signing: Signing = "right"
    challenge_signing: Signing = "right"
    body: Literal["right", "reserialised", "empty", "invalid_json", "oversized"] = (
        "right"
    )
    duplicate: bool = False
    out_of_order: bool = False
    late_s: Annotated[int, Field(ge=0)] = 0
    retry_timestamp: Literal["same", "fresh"] = "same"
    legacy_token: bool = True
    old_object: bool = True
    deauthorized_ts: Literal["top", "payload", "absent"] = "top"
    data_retention: bool = False
