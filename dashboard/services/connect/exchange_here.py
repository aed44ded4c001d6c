"""Token storage `dashboard`: the code is exchanged here and the grant is stored here.

The grant and its connection are stored in one commit, before Recall is told where to
ask for tokens. Source: docs/contracts/zoom.md 3.5 (one living grant a user and app, so
only one party may hold it) and docs/contracts/recall.md 5; checked 2026-11-25.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session

from dashboard import errors
from dashboard.errors import ConflictError, DashboardError, StorageError, UpstreamError
from dashboard.models.connection import AttemptOutcome, Connection
from dashboard.models.zoom_app import Kind, ZoomApp
from dashboard.services import urls
from dashboard.services.connect import attempts
from dashboard.services.connect.callbacks import ReturnedAttempt
from dashboard.services.connect.granted import Got, connected, keep, same, tell_recall
from dashboard.services.invitations import invitations, states
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps, scopes

_SUPERSEDED = "The user consented once more meanwhile; that one counts."
_NOBODY = (
    "Zoom does not tell whose grant this is: it lacks the scope user:read:user. An "
    "admin has to add it to the app in Zoom's Marketplace. Nothing was kept."
)
_PAUSES_S = (0.0, 0.2, 1.0, 3.0)


@dataclass(frozen=True, kw_only=True)
class _Settled:
    """A connection whose grant is kept, and whether it is what the attempt was for."""

    connection: Connection
    is_of_attempt: bool


class _ChangedError(Exception):
    """The connection's grant is another than it was a moment ago."""


def hold(
    runtime: Runtime,
    attempt: ReturnedAttempt,
    *,
    pause: Callable[[float], None] = time.sleep,
) -> UUID | None:
    """Exchange the code, keep the grant, tell Recall, write down how it went; commits.

    Args:
        runtime: All of them.
        attempt: Of an app under custody `dashboard`.
        pause: Waits so many seconds, between tries to store what Zoom gave.

    Returns:
        The connection it made or renewed; None when there is none for this attempt.

    Raises:
        StorageError: The database cannot be used; the grant is lost.
    """
    try:
        got = _exchanged(runtime, attempt)
    except (ConflictError, UpstreamError) as error:
        _end(runtime, attempt, *_refused(error))
        return None
    settled = _settled(runtime, attempt, got, pause=pause)
    if settled is None:
        return None
    with suppress(StorageError):  # it is kept; the next look tells Recall
        tell_recall(runtime, settled.connection)
    return settled.connection.id if settled.is_of_attempt else None


def _settled(
    runtime: Runtime,
    attempt: ReturnedAttempt,
    got: Got,
    *,
    pause: Callable[[float], None],
) -> _Settled | None:
    """Store the grant; it is the only one, so try for some seconds.

    Raises:
        StorageError: The database cannot be used; the grant is lost.
    """
    for pause_s in _PAUSES_S:
        pause(pause_s)
        try:
            return _settle(runtime, attempt, got)
        except _ChangedError:
            continue
        except StorageError:
            if pause_s == _PAUSES_S[-1]:
                raise
    _end(runtime, attempt, AttemptOutcome.UNREACHABLE, _SUPERSEDED)
    return None


def _exchanged(runtime: Runtime, attempt: ReturnedAttempt) -> Got:
    """Spend the code at Zoom and read whose grant it is.

    Raises:
        ConflictError: Recall could not be told an address this long; the code is kept.
        UpstreamError: Zoom refused the code, or its answer was lost.
    """
    urls.token_url(runtime.public_url, urls.new_key())
    asked_at = runtime.clock.now()
    tokens = runtime.zoom_grants.exchange(
        client_id=attempt.app.client_id,
        client_secret=apps.client_secret(runtime.vault, attempt.app),
        code=attempt.code,
        redirect_uri=urls.redirect_url(runtime.public_url),
        code_verifier=attempt.verifier,
    )
    profile, trouble = None, None
    try:
        profile = runtime.zoom.me(tokens.access_token)
    except UpstreamError as error:
        trouble = error
    return Got(tokens=tokens, asked_at=asked_at, profile=profile, trouble=trouble)


def _settle(runtime: Runtime, attempt: ReturnedAttempt, got: Got) -> _Settled | None:
    """Store the grant and how the connect attempt ended; None when it is nobody's.

    Commits.

    Raises:
        _ChangedError: Another consent of the same user was stored meanwhile.
    """
    with runtime.database.reading() as session:
        _, before = same(session, attempt.app, got)
    # Of two consents at once the later one ended the earlier (docs/contracts/zoom.md
    # 3.5).
    is_newer = before is not None and before.obtained_at >= got.asked_at
    if is_newer and not _lives(runtime, got):
        _end(runtime, attempt, AttemptOutcome.UNREACHABLE, _SUPERSEDED)
        return None
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        apps.lock(session, attempt.app.id)  # of two first consents one makes the row
        states.lock(session, attempt.invitation_id)
        row, grant = same(session, attempt.app, got, locks=True)
        if grant is not None and (before is None or before.version != grant.version):
            raise _ChangedError
        verdict = _verdict(session, attempt, got)
        is_new = row is None
        if row is not None or verdict is None:
            # A refused account's connection was renewed at Zoom all the same, which
            # ended its former grant: the new one is kept for it.
            row = connected(session, attempt.app, row, got, now=now)
            keep(runtime, session, row, grant, got, now=now)
            attempts.note_connected(
                session, row, attempt.app.name, is_new=is_new, now=now
            )
        outcome, detail = verdict or (
            AttemptOutcome.CONNECTED,
            _lacks(attempt.app, got),
        )
        attempts.end(
            session,
            attempt.id,
            outcome,
            detail=detail,
            connection=row if verdict is None else None,
            tried_as="" if verdict is None else got.masked,
            now=now,
        )
    if row is None:
        _revoke(runtime, attempt.app, got)
        return None
    return _Settled(connection=row, is_of_attempt=verdict is None)


def _verdict(
    session: Session, attempt: ReturnedAttempt, got: Got
) -> tuple[AttemptOutcome, str] | None:
    """Return how an attempt ends whose grant is not to be used; None if it is."""
    told = got.user_id if attempt.app.kind is Kind.USER_LEVEL else got.account_id
    needs_email = invitations.needs_email(session, attempt.invitation_id)
    if got.trouble is not None and (told is None or needs_email):
        if got.trouble.retryable:
            said = f"The profile could not be read: {errors.words(got.trouble)}"
            return AttemptOutcome.UNREACHABLE, said
        return AttemptOutcome.REFUSED_BY_ZOOM, _NOBODY
    if told is None:
        return AttemptOutcome.REFUSED_BY_ZOOM, _NOBODY
    refusal = invitations.refusal(
        session,
        attempt.invitation_id,
        zoom_user_id=got.user_id,
        email="" if got.profile is None else got.profile.email,
        zoom_account_id=got.account_id,
    )
    return None if refusal is None else (AttemptOutcome.WRONG_ACCOUNT, refusal)


def _lives(runtime: Runtime, got: Got) -> bool:
    """Whether Zoom takes the new token still; a trouble of its own says nothing."""
    try:
        runtime.zoom.me(got.tokens.access_token)
    except UpstreamError as error:
        return error.status != 401  # noqa: PLR2004 - HTTP's own number
    return True


def _revoke(runtime: Runtime, app: ZoomApp, got: Got) -> None:
    """End a grant that is not kept: nobody else holds it."""
    with suppress(UpstreamError):
        runtime.zoom_grants.revoke(
            client_id=app.client_id,
            client_secret=apps.client_secret(runtime.vault, app),
            access_token=got.tokens.access_token,
        )


def _refused(error: DashboardError) -> tuple[AttemptOutcome, str]:
    if not isinstance(error, UpstreamError):
        return AttemptOutcome.REFUSED_BY_RECALL, str(error)
    is_nobodys = error.retryable or error.may_have_happened
    kind = AttemptOutcome.UNREACHABLE if is_nobodys else AttemptOutcome.REFUSED_BY_ZOOM
    return kind, errors.words(error)


def _lacks(app: ZoomApp, got: Got) -> str:
    """Name the required scopes that were not granted; "" when none is missing."""
    if not got.tokens.scope:
        return ""
    granted = set(got.tokens.scope.split())
    names = scopes.missing(granted, app.kind, app.scope_style)
    if not names:
        return ""
    return f"Zoom did not grant {', '.join(names)}."


def _end(
    runtime: Runtime, attempt: ReturnedAttempt, outcome: AttemptOutcome, detail: str
) -> None:
    """Commits."""
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        attempts.end(session, attempt.id, outcome, detail=detail, now=now)
