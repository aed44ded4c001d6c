"""Handing an authorization code to Recall, once. Zoom's token endpoint is Recall's.

Source: docs/contracts/recall.md 1.8, 3.5 and 4, checked 2026-11-23.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

from pydantic import SecretStr

from dashboard.clients.recall.api import Recall
from dashboard.clients.recall.replies import RecallCredential
from dashboard.errors import DashboardError, UpstreamError
from dashboard.models.zoom_app import Kind

Settle = Callable[[Sequence[RecallCredential]], RecallCredential | None]
"""Picks the credential that a lost answer was about, or None when it cannot tell."""


class ConsentAgainError(DashboardError):
    """An older credential was in the way and is removed; the code is spent."""


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What Zoom gave the browser, and what Recall needs to make use of it.

    Attributes:
        redirect_uri: The very one of the authorize URL.
        code_verifier: Of the challenge on the authorize URL.
    """

    oauth_app: UUID
    kind: Kind
    code: SecretStr
    redirect_uri: str
    code_verifier: SecretStr

    @property
    def idempotency_key(self) -> str:
        """Made from the code, which is single use: the same code, the same request."""
        return hashlib.sha256(self.code.get_secret_value().encode()).hexdigest()


def exchange(recall: Recall, grant: Grant, *, settle: Settle) -> RecallCredential:
    """Let Recall exchange the code; return the credential it made or renewed.

    A lost answer is asked for once more with the same key and then looked up, never
    settled by a second code.

    Raises:
        ConsentAgainError: The legacy conflict; the older credential is deleted now.
        UpstreamError: Recall refused, or what it did cannot be told.
    """
    try:
        return _create(recall, grant)
    except UpstreamError as error:
        if not error.may_have_happened:
            raise _cleared(recall, grant, error) from None
    try:
        return _create(recall, grant)
    except UpstreamError as error:
        if error.conflicting_id is not None:
            raise _cleared(recall, grant, error) from None
        found = settle(recall.list_credentials(oauth_app=grant.oauth_app))
        if found is None:
            raise
        return found


def _create(recall: Recall, grant: Grant) -> RecallCredential:
    return recall.create_credential(
        oauth_app=grant.oauth_app,
        code=grant.code,
        redirect_uri=grant.redirect_uri,
        code_verifier=grant.code_verifier,
        idempotency_key=grant.idempotency_key,
    )


def _cleared(recall: Recall, grant: Grant, error: UpstreamError) -> DashboardError:
    """Delete what is in the way and return what to raise; raises if that fails."""
    if not clear(recall, grant.oauth_app, grant.kind, error):
        return error
    return ConsentAgainError("An older connection was in the way and is removed.")


def clear(recall: Recall, oauth_app: UUID, kind: Kind, error: UpstreamError) -> bool:
    """Delete what a conflict names; tell whether it was one.

    Recall names a Zoom id, not a credential: it has to be looked up.

    Raises:
        UpstreamError: Recall refused or could not be asked.
    """
    if error.conflicting_id is None:
        return False
    wanted = error.conflicting_id
    if kind is Kind.USER_LEVEL:
        found = recall.list_credentials(oauth_app=oauth_app, user_id=wanted)
        in_the_way = [one for one in found if one.user_id == wanted]
    else:
        found = recall.list_credentials(oauth_app=oauth_app, account_id=wanted)
        in_the_way = [one for one in found if one.account_id == wanted]
    for credential in in_the_way:
        delete(recall, credential.id)
    return True


def delete(recall: Recall, credential_id: UUID) -> None:
    """Delete a credential in Recall; one that is gone already is no error.

    Raises:
        UpstreamError: Recall refused or could not be asked.
    """
    try:
        recall.delete_credential(credential_id)
    except UpstreamError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
