"""What the contracts leave open, one switch each."""

import random
from dataclasses import dataclass, fields
from typing import Literal, Self


@dataclass(frozen=True, kw_only=True)
class Freedoms:
    """How the independent Zoom and Recall use the freedom that the contracts leave.

    The defaults are as far from the product's own simulators as the contracts allow.

    Attributes:
        invalid_client_status: zoom.md 3.3.
        expires_in: Of an access token, zoom.md 3.2.
        dead_grant_error: The word beside `Invalid Token!`, zoom.md 3.3.
        bad_code_error: The word for a code that is unknown, used or too old.
        app_token: Whether `client_credentials` gives one, zoom.md 3.4.
        api_url: Whether the token answer has it.
        pmi_as_text: zoom.md 4.1.
        me_has_account: Whether `users/me` names the account.
        has_claims: Whether an access token is a JWT with whose it is, zoom.md 3.2.
        admin_has_profile: Whether an admin-managed app may read `users/me`; if not, its
            tokens have claims.
        old_object: Whether events of changes have it, zoom.md 6.
        removal_ts: Where `event_ts` of `app_deauthorized` stands, zoom.md 6.
        tracking_header: Of the two names in zoom.md 5.2.
        sends_client_id: Whether webhooks have the header `clientid`.
        retry_keeps_time: Whether a retry keeps its timestamp, zoom.md 5.4.
        missing_scope_code: zoom.md 4.3.
        page_size: Of every list at Recall, recall.md 1.4.
        newest_first: Order of those lists.
        is_pmi_mapped: recall.md 3.7.
        masks_secrets: recall.md 3.1.
        keeps_last_validation: recall.md 3.8.
        receiver_status: What Recall's webhook URL answers to a good event.
        refused_status: What it answers to a wrong signature.
        reconnect: How a user connects twice, recall.md 3.5.
        reconnect_status: Of an updated credential.
        expires_at_offset: Hours east of UTC in which `expires_at` is written.
        repeats_zoom: Whether Recall's error texts repeat what Zoom said.
        omits_optional: Whether optional fields that are null are left out.
        errors_to_unhealthy: Failures in a row that disable a credential.
        unmaps_deleted: Whether a sync forgets meetings that Zoom no longer lists.
        latest_change_first: Order of a bot's steps, recall.md 3.9.
        meeting_as_text: How a bot's meeting number is written there.
    """

    invalid_client_status: Literal[400, 401] = 401
    expires_in: Literal[3600, 3599] = 3599
    dead_grant_error: Literal["invalid_grant", "invalid_request"] = "invalid_grant"
    bad_code_error: Literal["invalid_grant", "invalid_request"] = "invalid_request"
    app_token: bool = False
    api_url: bool = False
    pmi_as_text: bool = True
    me_has_account: bool = False
    has_claims: bool = False
    admin_has_profile: bool = True
    old_object: bool = False
    removal_ts: Literal["top", "payload", "absent"] = "payload"
    tracking_header: Literal["x-zm-trackingid", "x-zm-request-id"] = "x-zm-trackingid"
    sends_client_id: bool = False
    retry_keeps_time: bool = True
    missing_scope_code: Literal[4711, 4700, 201] = 4711
    page_size: int = 2
    newest_first: bool = False
    is_pmi_mapped: bool = False
    masks_secrets: bool = True
    keeps_last_validation: bool = False
    receiver_status: Literal[200, 202, 204] = 204
    refused_status: Literal[401, 403] = 403
    reconnect: Literal["update", "conflict"] = "update"
    reconnect_status: Literal[200, 201] = 200
    expires_at_offset: int = 2
    repeats_zoom: bool = False
    omits_optional: bool = True
    errors_to_unhealthy: int = 5
    unmaps_deleted: bool = True
    latest_change_first: bool = True
    meeting_as_text: bool = True

    @classmethod
    def drawn(cls, seed: int) -> Self:
        """Draw each switch on its own."""
        drawing = random.Random(f"freedoms {seed}")
        values = {
            each.name: drawing.choice(_CHOICES.get(each.name, [True, False]))
            for each in fields(cls)
        }
        values["has_claims"] = values["has_claims"] or not values["admin_has_profile"]
        return cls(**values)  # type: ignore[arg-type]  # each from its own choices


_CHOICES: dict[str, list[object]] = {
    "invalid_client_status": [400, 401],
    "expires_in": [3600, 3599],
    "dead_grant_error": ["invalid_grant", "invalid_request"],
    "bad_code_error": ["invalid_grant", "invalid_request"],
    "removal_ts": ["top", "payload", "absent"],
    "tracking_header": ["x-zm-trackingid", "x-zm-request-id"],
    "missing_scope_code": [4711, 4700, 201],
    "page_size": [2, 3, 10, 100],
    "receiver_status": [200, 202, 204],
    "refused_status": [401, 403],
    "reconnect": ["update", "conflict"],
    "reconnect_status": [200, 201],
    "expires_at_offset": [0, 2, -7],
    "errors_to_unhealthy": [3, 5, 20],
}
