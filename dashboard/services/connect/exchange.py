"""The exchange of the code that Zoom sent back: one flow, a strategy per token storage.

Zoom allows one active grant per user and app, so only one party exchanges a code:
Recall (`exchange_at_recall`) or the dashboard (`exchange_here`). Either way the
connection and the outcome of the attempt are stored in one commit, after the call that
spends the code. Source: docs/contracts/zoom.md 3.5, checked 2026-11-25.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Generic, TypeVar
from uuid import UUID

from sqlmodel import Session

from dashboard import errors
from dashboard.errors import ConflictError, DashboardError, StorageError, UpstreamError
from dashboard.formatting import masked_email, masked_id
from dashboard.models.connection import (
    AttemptOutcome,
    Connection,
    SyncStatus,
    TokenState,
)
from dashboard.models.zoom_app import Kind, TokenCustody
from dashboard.services import former_emails
from dashboard.services.connect import attempts
from dashboard.services.connect.callbacks import ReturnedAttempt
from dashboard.services.former_emails import Change
from dashboard.services.invitations import invitations
from dashboard.services.runtime import Runtime
from dashboard.services.token_states.rules import says_wrong_pair
from dashboard.services.zoom_apps import apps, credential_checks

Verdict = tuple[AttemptOutcome, str]

_NOT_CHECKED = "Connected. Not checked yet."
_SUPERSEDED = "The user authorized the app again in the meantime; the later one counts."


@dataclass(frozen=True, kw_only=True)
class GrantedProfile:
    """Whose account a code was for, as far as it is known.

    Attributes:
        email: Of the profile; "" when it was not read.
        error: Why the profile could not be read.
    """

    user_id: str | None
    account_id: str | None
    email: str = ""
    error: UpstreamError | None = None

    @property
    def masked(self) -> str:
        """Name the account so that only its owner recognizes it."""
        if self.email:
            return masked_email(self.email)
        zoom_id = self.user_id or self.account_id
        return masked_id(zoom_id) if zoom_id else ""


G = TypeVar("G", bound=GrantedProfile)


class SupersededError(Exception):
    """A later authorization of the same user is stored, and this one is dead."""


class ChangedError(Exception):
    """The stored grant changed while this one was about to be stored."""


class Exchange(ABC, Generic[G]):
    """One attempt's code, exchanged once.

    Args:
        runtime: All of them.
        attempt: Of an app with this token storage.
    """

    custody: ClassVar[TokenCustody]
    evidence: ClassVar[str]
    refused: ClassVar[AttemptOutcome]
    """The outcome when whoever exchanges the code refuses it."""

    pauses_s: ClassVar[Sequence[float]] = (0.0,)
    """Waits before each try to store what Zoom gave."""

    def __init__(self, runtime: Runtime, attempt: ReturnedAttempt) -> None:
        self._runtime = runtime
        self._attempt = attempt

    def run(self, *, pause: Callable[[float], None] | None = None) -> UUID | None:
        """Exchange the code, store the connection and the outcome; commits.

        Returns:
            The connection it made or renewed; None when there is none for this attempt.

        Raises:
            StorageError: The database cannot be used; the grant is lost.
        """
        try:
            granted = self._spend()
        except (ConflictError, UpstreamError) as error:
            self._finish(*self._refusal_of(error), is_pair=_is_about_pair(error))
            return None
        for pause_s in self.pauses_s:
            (pause or self._runtime.clock.sleep)(pause_s)
            try:
                return self._store(granted)
            except SupersededError:
                break
            except ChangedError:
                continue
            except StorageError:
                if pause_s == self.pauses_s[-1]:
                    raise
        self._finish(AttemptOutcome.UNREACHABLE, _SUPERSEDED)
        return None

    @abstractmethod
    def _spend(self) -> G:
        """Exchange the code and read whose grant it is.

        Raises:
            ConflictError: The code could not be used.
            UpstreamError: It was refused, or the answer was lost.
        """

    def _prepare(self, granted: G) -> None:
        """Read what storing the grant depends on, before anything is locked.

        Raises:
            SupersededError: A later authorization is stored, and this grant is dead.
        """

    @abstractmethod
    def _find(self, session: Session, granted: G) -> Connection | None:
        """Return the connection of the user or account, locked.

        Raises:
            ChangedError: Its grant is not the one that `_prepare` read.
        """

    @abstractmethod
    def _unreadable(self, error: UpstreamError | None) -> Verdict | None:
        """Return the outcome when the user stays unknown; None if that is fine."""

    @abstractmethod
    def _fill(self, row: Connection, granted: G) -> None:
        """Set what this storage knows of the connection."""

    @abstractmethod
    def _store_tokens(
        self, session: Session, row: Connection, granted: G, *, now: datetime
    ) -> None:
        """Store or drop the tokens of a connection that is stored already."""

    @abstractmethod
    def _reject(
        self, session: Session, granted: G, *, now: datetime
    ) -> Callable[[], None]:
        """Prepare to end a grant that is not used; return the call that ends it."""

    def _after(self, row: Connection) -> None:
        """Do what follows the commit of a connection made or renewed."""

    def _missing_scopes(self, granted: G) -> str:  # noqa: ARG002 - for those that know
        """Name the required scopes that were not granted; "" when none is missing."""
        return ""

    def _store(self, granted: G) -> UUID | None:
        """Store the connection and the outcome together; commits.

        Raises:
            ChangedError, SupersededError: Another authorization of the same user was
                stored meanwhile.
        """
        self._prepare(granted)
        app, now, discard = self._attempt.app, self._runtime.clock.now(), None
        with self._runtime.database.writing() as session:
            # Of two first authorizations one makes the row.
            locked = apps.lock(session, app.id)
            credential_checks.trust(session, locked, now=now)  # they gave this grant
            invitations.lock(session, self._attempt.invitation_id)
            row = self._find(session, granted)
            refusal = self._refusal(session, granted)
            is_new = row is None
            if row is not None or refusal is None:
                # A connection of a refused account was renewed at Zoom all the same,
                # which ended its former grant: the new one is kept for it.
                row = self._connect(session, row, granted, now=now)
                name = app.name + invitations.named(
                    session, self._attempt.invitation_id
                )
                attempts.note_connected(session, row, name, is_new=is_new, now=now)
            else:
                discard = self._reject(session, granted, now=now)
            outcome, detail = refusal or (
                AttemptOutcome.CONNECTED,
                self._missing_scopes(granted),
            )
            attempts.finish(
                session,
                self._attempt.id,
                outcome,
                detail=detail,
                connection=row if refusal is None else None,
                tried_as="" if refusal is None else granted.masked,
                now=now,
            )
        if discard is not None:
            discard()
        if row is not None:
            with suppress(StorageError):  # it is stored; the next check does the rest
                self._after(row)
        return row.id if row is not None and refusal is None else None

    def _connect(
        self, session: Session, row: Connection | None, granted: G, *, now: datetime
    ) -> Connection:
        """Make or renew the connection; nothing is known of its token yet."""
        if row is None:
            row = Connection(
                zoom_app_id=self._attempt.app.id, connected_at=now, due_at=now
            )
        else:
            row.reconnected_at = now
        row.token_custody = self.custody
        row.zoom_account_id = granted.account_id or row.zoom_account_id
        row.token_expires_at = row.deauthorized_at = row.token_checked_at = None
        row.token_since = row.recall_tried_at = None
        row.note_state(TokenState.UNKNOWN, _NOT_CHECKED, evidence=self.evidence, at=now)
        row.sync_status, row.recall_status = SyncStatus.UNKNOWN, ""
        row.due_at, row.lease_until = now, None
        row.claim += 1  # a check that is running saw the grant before this one
        former = row.email
        self._fill(row, granted)
        session.add(row)
        session.flush()
        change = Change(former=former, current=row.email)
        former_emails.keep(session, row.id, [change], at=now)
        self._store_tokens(session, row, granted, now=now)
        return row

    def _refusal(self, session: Session, granted: G) -> Verdict | None:
        """Return the outcome if the grant is not to be used; None if it is."""
        link, error = self._attempt.invitation_id, granted.error
        is_user = self._attempt.app.kind is Kind.USER_LEVEL
        is_unknown = (granted.user_id if is_user else granted.account_id) is None
        if is_unknown or (error and invitations.needs_email(session, link)):
            if error is not None and error.retryable:
                said = f"The profile could not be read: {errors.words(error)}"
                return AttemptOutcome.UNREACHABLE, said
            unreadable = self._unreadable(error)
            if unreadable is not None:
                return unreadable
        refusal = invitations.refusal(
            session,
            link,
            zoom_user_id=granted.user_id,
            email=granted.email,
            zoom_account_id=granted.account_id,
        )
        return None if refusal is None else (AttemptOutcome.WRONG_ACCOUNT, refusal)

    def _refusal_of(self, error: DashboardError) -> Verdict:
        """Return the outcome when the code was not exchanged."""
        if not isinstance(error, UpstreamError):
            return AttemptOutcome.REFUSED_BY_RECALL, str(error)
        is_unclear = error.retryable or error.may_have_happened
        outcome = AttemptOutcome.UNREACHABLE if is_unclear else self.refused
        return outcome, errors.words(error)

    def _finish(
        self, outcome: AttemptOutcome, detail: str, *, is_pair: bool = False
    ) -> None:
        """Store an outcome without a connection; commits.

        Args:
            outcome: Which.
            detail: What was answered.
            is_pair: Whether the app's credentials were rejected: they are doubted from
                now on, and tried at Zoom at once.
        """
        now = self._runtime.clock.now()
        with self._runtime.database.writing() as session:
            attempts.finish(session, self._attempt.id, outcome, detail=detail, now=now)
            if is_pair:
                credential_checks.doubt(session, self._attempt.app.id, now=now)


def _is_about_pair(error: DashboardError) -> bool:
    return isinstance(error, UpstreamError) and says_wrong_pair(error)
