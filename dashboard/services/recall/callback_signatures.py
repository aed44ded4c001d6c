"""Recall's signature on its own requests, and a workspace's verification secret.

The signature is that of Standard Webhooks (docs/contracts/recall.md 6, checked
2026-11-25).
"""

import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from pydantic import SecretStr
from sqlmodel import Session, col, func, select
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from dashboard.errors import InvalidInputError
from dashboard.models.connection import Connection
from dashboard.models.held_grant import HeldGrant
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.pasted import require_whole, trim_secret
from dashboard.vault import Vault, fingerprint

TOLERANCE = timedelta(minutes=5)
"""How far a signature's time may differ from now, either way."""

_FAMILIES = ("webhook", "svix")  # the older name of the same headers
_PARTS = ("id", "timestamp", "signature")
_PREFIX = "whsec_"
_SHORTEST_KEY_BYTES = 16
_MOST_SIGNATURES = 16
_LONGEST_NUMBER = 12
_FIELD = "verification_secret"


class Signed(StrEnum):
    """The result of checking a request's signature."""

    RIGHT = "right"
    WRONG = "wrong"
    ABSENT = "absent"


class _Claim(NamedTuple):
    message_id: str
    timestamp: str
    signatures: str


@dataclass(frozen=True, kw_only=True)
class Signing:
    """How Recall's requests to us are verified.

    Attributes:
        secret: A new verification secret; None keeps the stored one.
        is_required: Whether requests without a signature are rejected.
    """

    secret: SecretStr | None
    is_required: bool


@dataclass(frozen=True, kw_only=True)
class Calls:
    """When Recall last fetched a token stored here; None when it never did."""

    served_at: datetime | None
    unsigned_at: datetime | None


def verify(
    secret: SecretStr, headers: Mapping[str, str], body: bytes, *, now: datetime
) -> Signed:
    """Check whether a request was signed with the workspace's secret; never raises.

    Any one of the headers makes it signed, so removing one does not make it an unsigned
    request.

    Args:
        secret: `whsec_...`.
        headers: Names in lower case.
        body: As received; empty for a GET, so its signed text ends with a dot.
        now: Aware.
    """
    for family in _FAMILIES:
        parts = [headers.get(f"{family}-{part}") for part in _PARTS]
        if any(part is not None for part in parts):
            claim = _Claim(*(part or "" for part in parts))
            is_right = _is_right(secret, claim, body, now=now)
            return Signed.RIGHT if is_right else Signed.WRONG
    return Signed.ABSENT


def require_secret(secret: SecretStr) -> None:
    """Check that a trimmed value can be a verification secret.

    Raises:
        InvalidInputError: The message never holds the value.
    """
    text = secret.get_secret_value()
    require_whole(text, label="verification secret", field=_FIELD)
    if not text.startswith(_PREFIX):
        raise InvalidInputError(
            f"A verification secret starts with {_PREFIX}. Copy it from Recall's "
            "dashboard; it isn't the API key.",
            field=_FIELD,
        )
    try:
        key = binascii.a2b_base64(text.removeprefix(_PREFIX) + "==", strict_mode=False)
    except ValueError:
        key = b""
    if len(key) < _SHORTEST_KEY_BYTES or _hook(secret) is None:
        raise InvalidInputError(
            "This verification secret is incomplete. Copy all of it again.",
            field=_FIELD,
        )


def _is_right(secret: SecretStr, claim: _Claim, body: bytes, *, now: datetime) -> bool:
    hook, timestamp = _hook(secret), claim.timestamp
    is_whole = timestamp.isascii() and timestamp.isdecimal()
    if hook is None or not is_whole or len(timestamp) > _LONGEST_NUMBER:
        return False
    try:
        signed_at = datetime.fromtimestamp(int(timestamp), UTC)
        if not claim.message_id or abs(signed_at - now) > TOLERANCE:
            return False
        # Not the library's `verify`: it reads the machine's clock instead of ours.
        expected = hook.sign(claim.message_id, signed_at, body.decode()).encode()
        given = [one.encode() for one in claim.signatures.split(" ", _MOST_SIGNATURES)]
    except (ValueError, OverflowError, OSError):
        return False  # UnicodeError is a ValueError
    return any(hmac.compare_digest(expected, one) for one in given)


def _hook(secret: SecretStr) -> Webhook | None:
    """Return the library's signer, or None if it can't use the secret."""
    try:
        return Webhook(secret.get_secret_value())
    except (ValueError, binascii.Error, EmptyWebhookSecretError):
        return None


def calls(session: Session, workspace_id: UUID) -> Calls:
    """Return when the workspace last got a token, and last asked unsigned."""
    served_at, unsigned_at = session.exec(
        select(func.max(HeldGrant.served_at), func.max(HeldGrant.unsigned_at))
        .join(Connection, col(Connection.id) == col(HeldGrant.connection_id))
        .join(ZoomApp, col(ZoomApp.id) == col(Connection.zoom_app_id))
        .where(col(ZoomApp.workspace_id) == workspace_id)
    ).one()
    return Calls(served_at=served_at, unsigned_at=unsigned_at)


def tidy(signing: Signing) -> tuple[Signing, bool]:
    """Return it without spaces around the secret, and whether there were any.

    Raises:
        InvalidInputError: It can't be a verification secret.
    """
    if signing.secret is None:
        return signing, False
    secret = trim_secret(signing.secret)
    require_secret(secret)
    return replace(signing, secret=secret), secret != signing.secret


def put(vault: Vault, workspace: Workspace, signing: Signing, *, now: datetime) -> None:
    """Apply the settings to the workspace; the caller commits.

    The first secret turns the requirement on; an admin may turn it off afterwards.

    Raises:
        InvalidInputError: A signature is required, and there is no secret.
    """
    is_first = signing.secret is not None and workspace.verification_secret is None
    if signing.secret is not None:
        workspace.verification_secret = vault.seal_text(
            signing.secret,
            table="workspace",
            column="verification_secret",
            row=workspace.id,
        )
        workspace.verification_secret_print = fingerprint(signing.secret)
        workspace.verification_secret_length = len(signing.secret.get_secret_value())
        workspace.verification_secret_set_at = now
    if signing.is_required and workspace.verification_secret is None:
        raise InvalidInputError(
            "Enter the verification secret first. Without it no signature can be "
            "checked, and every token request from Recall would be rejected.",
            field="requires_signature",
        )
    workspace.requires_signature = signing.is_required or is_first


def secret_of(vault: Vault, workspace: Workspace) -> SecretStr | None:
    """Open the verification secret; None when there is none.

    Raises:
        VaultError: It can't be opened.
    """
    if workspace.verification_secret is None:
        return None
    return vault.open_text(
        workspace.verification_secret,
        table="workspace",
        column="verification_secret",
        row=workspace.id,
    )
