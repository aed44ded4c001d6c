"""Token storage `recall`: Recall exchanges the code (docs/contracts/recall.md 4).

Recall tells whose it was only after it has exchanged the code. So a link made for
somebody else is refused afterwards: a credential nobody had before is deleted in Recall
at once; one that is a connection of ours was merely renewed and stays.
Sources: docs/contracts/recall.md 3.5 and 4, docs/contracts/zoom.md 3.5; checked
2026-11-25.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from pydantic import SecretStr
from sqlmodel import Session

from dashboard import errors
from dashboard.clients.recall.api import Recall
from dashboard.clients.recall.replies import RecallCredential
from dashboard.errors import UpstreamError
from dashboard.formatting import masked_email, masked_id
from dashboard.models.connection import AttemptOutcome, Connection
from dashboard.models.erasure import Erasure
from dashboard.models.zoom_app import Kind
from dashboard.services import urls
from dashboard.services.connect import attempts
from dashboard.services.connect.attempts import CONSENT_AGAIN
from dashboard.services.connect.callbacks import ReturnedAttempt
from dashboard.services.connect.settling import settler
from dashboard.services.connections import connections
from dashboard.services.invitations import invitations, states
from dashboard.services.recall import workspaces
from dashboard.services.recall.credentials import (
    ConsentAgainError,
    Grant,
    delete,
    exchange,
)
from dashboard.services.runtime import Runtime
from dashboard.vault import Vault

_DELETED_WITHIN = timedelta(days=10)
_TAKEN_OVER_AFTER = timedelta(minutes=2)
"""Longer than deleting takes; then the worker does it."""


@dataclass(frozen=True, kw_only=True)
class _Who:
    """The account a credential turned out to be of.

    Attributes:
        email: Of its profile; "" when nobody had to ask.
        trouble: Why the profile could not be read though it is needed.
    """

    credential: RecallCredential
    email: str = ""
    trouble: UpstreamError | None = None

    @property
    def masked(self) -> str:
        """Name the account so that only its owner knows it."""
        if self.email:
            return masked_email(self.email)
        zoom_id = self.credential.user_id or self.credential.account_id or ""
        return masked_id(zoom_id) if zoom_id else ""


def hand_over(runtime: Runtime, attempt: ReturnedAttempt) -> UUID | None:
    """Let Recall exchange the code and write down how it went; commits.

    Returns:
        The connection it made or renewed; None when there is none for this attempt.
    """
    began_at = runtime.clock.now()
    with runtime.database.reading() as session:
        recall, recall_app_id = workspaces.recall_of(runtime, session, attempt.app)
    grant = Grant(
        oauth_app=recall_app_id,
        kind=attempt.app.kind,
        code=attempt.code,
        redirect_uri=urls.redirect_url(runtime.public_url),
        code_verifier=attempt.verifier,
    )
    settle = settler(runtime.database, attempt.app, attempt.id, since=began_at)
    outcome, detail = AttemptOutcome.REFUSED_BY_RECALL, ""
    try:
        credential = exchange(recall, grant, settle=settle)
    except ConsentAgainError:
        detail = CONSENT_AGAIN
    except UpstreamError as error:
        detail = errors.words(error)
        if error.retryable or error.may_have_happened:
            outcome = AttemptOutcome.UNREACHABLE
    else:
        return _keep(
            runtime, recall, attempt, _who(runtime, recall, attempt, credential)
        )
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        attempts.end(session, attempt.id, outcome, detail=detail, now=now)
    return None


def _who(
    runtime: Runtime,
    recall: Recall,
    attempt: ReturnedAttempt,
    credential: RecallCredential,
) -> _Who:
    """Read the profile by a real call if the attempt's link is bound to an e-mail."""
    with runtime.database.reading() as session:
        if not invitations.needs_email(session, attempt.invitation_id):
            return _Who(credential=credential)
    try:
        token = recall.access_token(credential.id)
        user = runtime.zoom.me(token.token)
    except UpstreamError as error:
        return _Who(credential=credential, trouble=error)
    return _Who(credential=credential, email=user.email or "")


def _keep(
    runtime: Runtime, recall: Recall, attempt: ReturnedAttempt, who: _Who
) -> UUID | None:
    """Make or renew the connection, unless the link was made for somebody else.

    Commits.
    """
    credential, now = who.credential, runtime.clock.now()
    with runtime.database.writing() as session:
        states.lock(session, attempt.invitation_id)
        verdict = _verdict(session, attempt, who)
        is_ours = connections.is_known(session, attempt.app, credential)
        row: Connection | None = None
        if verdict is None or is_ours:
            row, is_new = connections.connected(
                session, attempt.app, credential, now=now
            )
            name = attempt.app.name
            attempts.note_connected(session, row, name, is_new=is_new, now=now)
        if verdict is None:
            outcome = AttemptOutcome.CONNECTED
            attempts.end(session, attempt.id, outcome, connection=row, now=now)
            return None if row is None else row.id
        erasure = (
            None
            if is_ours
            else _owed(session, runtime.vault, attempt, credential, now=now)
        )
        outcome, detail = verdict
        attempts.end(
            session,
            attempt.id,
            outcome,
            detail=detail,
            tried_as=who.masked,
            now=now,
        )
    if erasure is not None:
        _erase(runtime, recall, erasure)
    return None


def _verdict(
    session: Session, attempt: ReturnedAttempt, who: _Who
) -> tuple[AttemptOutcome, str] | None:
    """Return how an attempt ends whose link is not this account's; None if it is."""
    if who.trouble is not None:
        said = f"The profile could not be read: {errors.words(who.trouble)}"
        if who.trouble.retryable:
            return AttemptOutcome.UNREACHABLE, said
        return AttemptOutcome.ZOOM_ERROR, said
    refusal = invitations.refusal(
        session,
        attempt.invitation_id,
        zoom_user_id=who.credential.user_id,
        email=who.email,
        zoom_account_id=who.credential.account_id,
    )
    return None if refusal is None else (AttemptOutcome.WRONG_ACCOUNT, refusal)


def _owed(
    session: Session,
    vault: Vault,
    attempt: ReturnedAttempt,
    credential: RecallCredential,
    *,
    now: datetime,
) -> Erasure:
    """Note that a credential is to be deleted, so that it is even if we die now.

    With whose it is: if they connect after all, it is theirs and stays.
    """
    is_account = attempt.app.kind is Kind.ACCOUNT_LEVEL
    column = "zoom_account_id" if is_account else "zoom_user_id"
    whose = credential.account_id if is_account else credential.user_id
    erasure = Erasure(
        id=uuid4(),
        zoom_app_id=attempt.app.id,
        recall_credential_id=credential.id,
        removed_at=now,
        deadline_at=now + _DELETED_WITHIN,
        due_at=now + _TAKEN_OVER_AFTER,
    )
    if whose:
        sealed = vault.seal_text(
            SecretStr(whose), table="erasure", column=column, row=erasure.id
        )
        setattr(erasure, column, sealed)
    session.add(erasure)
    return erasure


def _erase(runtime: Runtime, recall: Recall, erasure: Erasure) -> None:
    """Delete the credential now; what fails is left to the worker; commits."""
    if erasure.recall_credential_id is None:
        return
    with suppress(UpstreamError):
        delete(recall, erasure.recall_credential_id)
        with runtime.database.writing() as session:
            done = session.get(Erasure, erasure.id)
            if done is not None:
                session.delete(done)
