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
"""How far from now a signature may have been made, either way."""

_FAMILIES = ("webhook", "svix")  # the second is the older name of the same headers
_PARTS = ("id", "timestamp", "signature")
_PREFIX = "whsec_"
_SHORTEST_KEY_BYTES = 16
_MOST_SIGNATURES = 16
_LONGEST_NUMBER = 12
_FIELD = "verification_secret"


class Signed(StrEnum):
    """What a request's signature says of it."""

    RIGHT = "right"
    WRONG = "wrong"
    ABSENT = "absent"


class _Claim(NamedTuple):
    message_id: str
    timestamp: str
    signatures: str


@dataclass(frozen=True, kw_only=True)
class Signing:
    """How Recall's own calls to us are proved.

    Attributes:
        secret: A new verification secret; None keeps what is stored.
        is_required: Whether calls without a signature are refused.
    """

    secret: SecretStr | None
    is_required: bool


@dataclass(frozen=True, kw_only=True)
class Calls:
    """When Recall last asked for a token held here; None when it never did."""

    served_at: datetime | None
    unsigned_at: datetime | None


def verify(
    secret: SecretStr, headers: Mapping[str, str], body: bytes, *, now: datetime
) -> Signed:
    """Tell whether a request was signed with the workspace's secret; never raises.

    Any one of the headers makes it signed: taking one away makes it no request
    without a signature.

    Args:
        secret: `whsec_...`.
        headers: Names in lower case.
        body: As it came; empty of a GET, whose signed text then ends with a dot.
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
    """Refuse a trimmed value that cannot be a verification secret.

    Raises:
        InvalidInputError: The message never holds the value.
    """
    text = secret.get_secret_value()
    require_whole(text, label="verification secret", field=_FIELD)
    if not text.startswith(_PREFIX):
        raise InvalidInputError(
            f"A verification secret begins with {_PREFIX}. Copy it from Recall's "
            "dashboard; the API key is another value.",
            field=_FIELD,
        )
    try:
        key = binascii.a2b_base64(text.removeprefix(_PREFIX) + "==", strict_mode=False)
    except ValueError:
        key = b""
    if len(key) < _SHORTEST_KEY_BYTES or _hook(secret) is None:
        raise InvalidInputError(
            "This is no whole verification secret. Copy it again as a whole.",
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
        # Not its `verify`: that asks the machine for the time, and this has a clock.
        expected = hook.sign(claim.message_id, signed_at, body.decode()).encode()
        given = [one.encode() for one in claim.signatures.split(" ", _MOST_SIGNATURES)]
    except (ValueError, OverflowError, OSError):
        return False  # also what is no text: UnicodeError is a ValueError
    return any(hmac.compare_digest(expected, one) for one in given)


def _hook(secret: SecretStr) -> Webhook | None:
    """Return the library's signer, or None of a secret that it cannot take."""
    try:
        return Webhook(secret.get_secret_value())
    except (ValueError, binascii.Error, EmptyWebhookSecretError):
        return None


def calls(session: Session, workspace_id: UUID) -> Calls:
    """Return when the workspace last asked at all, and when unsigned."""
    served_at, unsigned_at = session.exec(
        select(func.max(HeldGrant.served_at), func.max(HeldGrant.unsigned_at))
        .join(Connection, col(Connection.id) == col(HeldGrant.connection_id))
        .join(ZoomApp, col(ZoomApp.id) == col(Connection.zoom_app_id))
        .where(col(ZoomApp.workspace_id) == workspace_id)
    ).one()
    return Calls(served_at=served_at, unsigned_at=unsigned_at)


def tidy(signing: Signing) -> tuple[Signing, bool]:
    """Return it without white space around the secret, and whether there was any.

    Raises:
        InvalidInputError: This cannot be a verification secret.
    """
    if signing.secret is None:
        return signing, False
    secret = trim_secret(signing.secret)
    require_secret(secret)
    return replace(signing, secret=secret), secret != signing.secret


def put(vault: Vault, workspace: Workspace, signing: Signing, *, now: datetime) -> None:
    """Change the workspace so; the caller commits.

    Raises:
        InvalidInputError: A signature is required, and there is no secret.
    """
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
            "Enter the verification secret first: without it no signature can be "
            "checked, and each of Recall's calls for a token would be refused.",
            field="requires_signature",
        )
    workspace.requires_signature = signing.is_required


def secret_of(vault: Vault, workspace: Workspace) -> SecretStr | None:
    """Open the verification secret; None when there is none.

    Raises:
        VaultError: It cannot be opened.
    """
    if workspace.verification_secret is None:
        return None
    return vault.open_text(
        workspace.verification_secret,
        table="workspace",
        column="verification_secret",
        row=workspace.id,
    )
