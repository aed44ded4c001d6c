"""Hand an authorization code to Recall, which exchanges it at Zoom; once per code.

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
"""Picks the credential that a lost answer was about, or None if that is unclear."""


class ConsentAgainError(DashboardError):
    """An older credential was in the way and was deleted; the code is used up."""


@dataclass(frozen=True, kw_only=True)
class Grant:
    """The code that Zoom gave the browser, and what Recall needs to exchange it.

    Attributes:
        redirect_uri: Exactly as in the authorize URL.
        code_verifier: Of the challenge in the authorize URL.
    """

    oauth_app: UUID
    kind: Kind
    code: SecretStr
    redirect_uri: str
    code_verifier: SecretStr

    @property
    def idempotency_key(self) -> str:
        """Derived from the code, which works once: the same code, the same request."""
        return hashlib.sha256(self.code.get_secret_value().encode()).hexdigest()


def exchange(recall: Recall, grant: Grant, *, settle: Settle) -> RecallCredential:
    """Let Recall exchange the code; return the credential it created or renewed.

    After a lost answer the request is repeated once with the same key, then the
    credential is looked up. A second code is never used.

    Raises:
        ConsentAgainError: An older credential conflicted and was deleted.
        UpstreamError: Recall refused, or its result is unknown.
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
        found = settle(recall.list_credentials(oauth_app=grant.oauth_app).whole())
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
    """Delete the conflicting credential; return what to raise, or raise on failure."""
    if not clear(recall, grant.oauth_app, grant.kind, error):
        return error
    return ConsentAgainError("An older connection was in the way and was removed.")


def clear(recall: Recall, oauth_app: UUID, kind: Kind, error: UpstreamError) -> bool:
    """Delete the credential that a conflict names; return whether it was a conflict.

    Recall names a Zoom ID, not a credential, so the credential is looked up.

    Raises:
        UpstreamError: Recall refused or didn't answer.
    """
    if error.conflicting_id is None:
        return False
    wanted = error.conflicting_id
    if kind is Kind.USER_LEVEL:
        found = recall.list_credentials(oauth_app=oauth_app, user_id=wanted).whole()
        in_the_way = [one for one in found if one.user_id == wanted]
    else:
        found = recall.list_credentials(oauth_app=oauth_app, account_id=wanted).whole()
        in_the_way = [one for one in found if one.account_id == wanted]
    for credential in in_the_way:
        delete(recall, credential.id)
    return True


def delete(recall: Recall, credential_id: UUID) -> None:
    """Delete a credential in Recall; one that is already deleted is no error.

    Raises:
        UpstreamError: Recall refused or didn't answer.
    """
    try:
        recall.delete_credential(credential_id)
    except UpstreamError as error:
        if error.own_status != HTTPStatus.NOT_FOUND:
            raise
