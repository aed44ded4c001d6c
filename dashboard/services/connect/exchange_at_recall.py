"""Token storage `recall`: Recall exchanges the code (docs/contracts/recall.md 4).

Recall reports whose it was only after it has exchanged the code. So a link made for
another person is refused afterwards: a new credential is deleted in Recall at once; one
of a connection that exists here was merely renewed and stays.
Sources: docs/contracts/recall.md 3.5 and 4, docs/contracts/zoom.md 3.5; checked
2026-11-25.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

from pydantic import SecretStr
from sqlmodel import Session, col, or_, select

from dashboard import errors
from dashboard.clients.recall.api import Recall
from dashboard.clients.recall.replies import RecallCredential
from dashboard.errors import ConflictError, UpstreamError
from dashboard.models.connection import AttemptOutcome, ConnectAttempt, Connection
from dashboard.models.erasure import Erasure, ErasureReason
from dashboard.models.zoom_app import Kind, TokenCustody
from dashboard.services import urls
from dashboard.services.connect.attempts import CONSENT_AGAIN
from dashboard.services.connect.exchange import Exchange, GrantedProfile, Verdict
from dashboard.services.grants import grants
from dashboard.services.invitations import invitations
from dashboard.services.recall import workspaces
from dashboard.services.recall.credentials import (
    ConsentAgainError,
    Grant,
    delete,
    exchange,
)
from dashboard.services.timeline import notes
from dashboard.services.zoom_apps import hosts

_DELETED_WITHIN = timedelta(days=10)
_TAKEN_OVER_AFTER = timedelta(minutes=2)
"""Longer than deleting takes; then the worker does it."""

_CLOCKS_DIFFER_BY = timedelta(minutes=1)
_EXCHANGE_TAKES = timedelta(minutes=2)


@dataclass(frozen=True, kw_only=True)
class GrantedAtRecall(GrantedProfile):
    """The account of a credential that Recall made or renewed."""

    credential: RecallCredential


class ExchangeAtRecall(Exchange[GrantedAtRecall]):
    """Recall exchanges the code and stores the tokens."""

    custody = TokenCustody.RECALL
    evidence = "Recall accepted the code."
    refused = AttemptOutcome.REFUSED_BY_RECALL

    def _spend(self) -> GrantedAtRecall:
        began_at = self._runtime.clock.now()
        recall, recall_app_id = self._recall()
        grant = Grant(
            oauth_app=recall_app_id,
            kind=self._attempt.app.kind,
            code=self._attempt.code,
            redirect_uri=urls.redirect_url(self._runtime.hosted_url),
            code_verifier=self._attempt.verifier,
        )
        resolve = partial(self._resolve_lost_answer, since=began_at)
        try:
            credential = exchange(recall, grant, settle=resolve)
        except ConsentAgainError:
            raise ConflictError(CONSENT_AGAIN) from None
        email, error = "", None
        with self._runtime.database.reading() as session:
            needs_email = invitations.needs_email(session, self._attempt.invitation_id)
        if needs_email:
            try:
                token = recall.access_token(credential.id)
                cloud = self._attempt.app.zoom_cloud
                zoom = hosts.of_cloud(self._runtime.zoom, cloud)
                email = zoom.me(token.token).email or ""
            except UpstreamError as caught:
                error = caught
        return GrantedAtRecall(
            credential=credential,
            user_id=credential.user_id,
            account_id=credential.account_id,
            email=email,
            error=error,
        )

    def _find(self, session: Session, granted: GrantedAtRecall) -> Connection | None:
        credential, app = granted.credential, self._attempt.app
        same = [col(Connection.recall_credential_id) == credential.id]
        if app.kind is Kind.USER_LEVEL and credential.user_id:
            same.append(col(Connection.zoom_user_id) == credential.user_id)
        if app.kind is Kind.ACCOUNT_LEVEL and credential.account_id:
            same.append(col(Connection.zoom_account_id) == credential.account_id)
        query = select(Connection).where(col(Connection.zoom_app_id) == app.id)
        return session.exec(query.where(or_(*same)).with_for_update()).first()

    def _unreadable(self, error: UpstreamError | None) -> Verdict | None:
        if error is None:
            return None
        said = f"The profile could not be read: {errors.words(error)}"
        return AttemptOutcome.ZOOM_ERROR, said

    def _fill(self, row: Connection, granted: GrantedAtRecall) -> None:
        row.recall_credential_id = granted.credential.id
        row.zoom_user_id = granted.user_id or row.zoom_user_id

    def _store_tokens(
        self,
        session: Session,
        row: Connection,
        granted: GrantedAtRecall,  # noqa: ARG002 - Recall stores them
        *,
        now: datetime,
    ) -> None:
        grants.drop(session, row.id)  # this authorization has ended it
        notes.connected(session, row, is_new=row.reconnected_at is None, at=now)

    def _reject(
        self, session: Session, granted: GrantedAtRecall, *, now: datetime
    ) -> Callable[[], None]:
        """Store that the credential is to be deleted, in case this process dies now.

        With whose it is: if they connect after all, it is theirs and stays.
        """
        app, credential = self._attempt.app, granted.credential
        is_account = app.kind is Kind.ACCOUNT_LEVEL
        column = "zoom_account_id" if is_account else "zoom_user_id"
        zoom_id = credential.account_id if is_account else credential.user_id
        erasure = Erasure(
            id=uuid4(),
            zoom_app_id=app.id,
            recall_credential_id=credential.id,
            reason=ErasureReason.WRONG_ACCOUNT,
            removed_at=now,
            deadline_at=now + _DELETED_WITHIN,
            due_at=now + _TAKEN_OVER_AFTER,
        )
        if zoom_id:
            sealed = self._runtime.vault.seal_text(
                SecretStr(zoom_id), table="erasure", column=column, row=erasure.id
            )
            setattr(erasure, column, sealed)
        session.add(erasure)
        return partial(self._delete, credential.id, erasure.id)

    def _delete(self, credential_id: UUID, erasure_id: UUID) -> None:
        """Delete the credential now; what fails is left to the worker; commits."""
        with suppress(UpstreamError):
            recall, _ = self._recall()
            delete(recall, credential_id)
            with self._runtime.database.writing() as session:
                done = session.get(Erasure, erasure_id)
                if done is not None:
                    session.delete(done)

    def _recall(self) -> tuple[Recall, UUID]:
        with self._runtime.database.reading() as session:
            return workspaces.recall_of(self._runtime, session, self._attempt.app)

    def _resolve_lost_answer(
        self, found: Sequence[RecallCredential], *, since: datetime
    ) -> RecallCredential | None:
        """Return the credential of an answer that was lost, if it can only be that one.

        It is the only one that is newer than `since` and unknown here, and no other
        attempt's answer is outstanding: taking another person's credential for this
        one's would show one person's name to another.
        """
        earliest = since - _CLOCKS_DIFFER_BY
        young = [one for one in found if one.created_at and one.created_at >= earliest]
        with self._runtime.database.reading() as session:
            unknown = [one for one in young if not _is_known(session, one.id)]
            if len(unknown) != 1 or self._others_wait(session, since):
                return None
        return unknown[0]

    def _others_wait(self, session: Session, since: datetime) -> bool:
        query = select(ConnectAttempt.id).where(
            col(ConnectAttempt.zoom_app_id) == self._attempt.app.id,
            col(ConnectAttempt.id) != self._attempt.id,
            col(ConnectAttempt.outcome) == AttemptOutcome.UNREACHABLE,
            col(ConnectAttempt.ended_at) > since - _EXCHANGE_TAKES,
        )
        return session.exec(query).first() is not None


def _is_known(session: Session, credential_id: UUID) -> bool:
    query = select(Connection.id).where(
        col(Connection.recall_credential_id) == credential_id
    )
    return session.exec(query).first() is not None
