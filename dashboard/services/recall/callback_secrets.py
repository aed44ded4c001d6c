"""A workspace's verification secret, and whether unsigned calls are refused."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from pydantic import SecretStr
from sqlmodel import Session, col, func, select

from dashboard.errors import InvalidInputError
from dashboard.models.connection import Connection
from dashboard.models.held_grant import HeldGrant
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.pasted import trim_secret
from dashboard.services.recall import callback_signatures
from dashboard.vault import Vault, fingerprint


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
    callback_signatures.require_secret(secret)
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
