"""Refresh the grants stored here, and revoke them; one refresh at a time per grant.

A refresh claims the grant and commits, asks Zoom with no transaction open, commits the
new pair before anything else, and then updates the connection. refresh_claims.py says
why this is enough. Where Recall stores the grant, only the user can revoke it
(docs/contracts/zoom.md 3.6, checked 2026-11-25).
"""

import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as NotYetError
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from pydantic import SecretStr

from dashboard.clients.zoom.grants import GrantTokens
from dashboard.errors import (
    DashboardError,
    GrantLostError,
    NotFoundError,
    StorageError,
    UpstreamError,
)
from dashboard.models.connection import Connection
from dashboard.models.held_grant import HeldGrant
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import TokenCustody, ZoomApp
from dashboard.services.grants import grants, refresh_claims
from dashboard.services.grants.refresh_claims import Claim, RefreshResult
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps, credential_checks
from dashboard.services.zoom_apps.apps import PairCheck

AT_LEAST_S = 120
"""Seconds that a token must have left for Recall (docs/contracts/recall.md 5)."""

PATIENCE_S = 4.0
"""How long anybody waits for a refresh: Recall waits 5 s."""

_LOOKS_EVERY_S = 0.1
_SPARE = 8  # for calls that somebody waits for, when Zoom is slow
_KEEPING_PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_RENEWED = "Zoom renewed a user's token with this pair."
_LOST = "Zoom accepts this grant no more. The user must reconnect."

_log = structlog.get_logger(__name__)


_AT_LEAST_S = 30
# Dead already; or nobody can use it, as nobody can revoke it: the pair is wrong.
_OF_NO_USE = {"invalid_grant", "invalid_client"}


def live_token(
    runtime: Runtime,
    connection_id: UUID,
    *,
    at_least_s: int = AT_LEAST_S,
    patience_s: float = PATIENCE_S,
) -> SecretStr:
    """Return an access token with time left; renews it, or waits for whoever does.

    Args:
        runtime: All of them.
        connection_id: A connection whose grant is held here.
        at_least_s: Seconds it must have left; one just renewed is given anyhow.
        patience_s: How long to wait. The refresh goes on without us.

    Raises:
        NotFoundError: The dashboard holds no grant of it.
        GrantLostError: The user must reconnect.
        UpstreamError: Zoom did not renew it: `code` "invalid_client" is the admin's,
            anything else nobody's; or not in time.
        StorageError: The database cannot be used.
    """
    ends = time.monotonic() + patience_s
    first_version: int | None = None
    while True:
        row, now = _read(runtime, connection_id), runtime.clock.now()
        first_version = first_version or row.version
        if row.lost_at is not None:
            raise GrantLostError(_LOST)
        is_fresh = row.version != first_version and row.expires_at > now
        if is_fresh or row.expires_at >= now + timedelta(seconds=at_least_s):
            return grants.access_token(runtime.vault, row)
        left_s = ends - time.monotonic()
        if left_s <= 0:
            raise _not_yet(row, now)
        if not refresh_claims.is_free(row, now=now):
            time.sleep(min(_LOOKS_EVERY_S, left_s))  # another process renews it
        elif row.failures and row.refresh_due_at > now:
            raise _not_yet(row, now)
        else:
            flight = runtime.flights.join(
                connection_id, partial(renew, runtime, connection_id, row.version)
            )
            with suppress(NotYetError):
                flight.result(left_s)


def settle(
    runtime: Runtime, connection_id: UUID, *, patience_s: float = PATIENCE_S
) -> None:
    """Find out how a refresh ended whose answer was lost, if that can be known now.

    Where another process asks at this moment, waits for it a little.

    Raises:
        NotFoundError: The dashboard holds no grant of it.
        UpstreamError: Zoom did not say.
        StorageError: The database cannot be used.
    """
    ends = time.monotonic() + patience_s
    while True:
        row, now = _read(runtime, connection_id), runtime.clock.now()
        left_s = ends - time.monotonic()
        if row.asked_at is None or row.lost_at is not None or left_s <= 0:
            return
        if refresh_claims.is_free(row, now=now):
            if row.failures and row.refresh_due_at > now:
                return
            flight = runtime.flights.join(
                connection_id, partial(renew, runtime, connection_id, row.version)
            )
            with suppress(NotYetError):
                flight.result(left_s)
        else:
            time.sleep(min(_LOOKS_EVERY_S, left_s))


def refresh_due(runtime: Runtime) -> int:
    """Begin to renew the grants that are due; return how many. Waits for none.

    Commits, in threads of its own. A chore: many processes may do it at once.
    """
    room = runtime.flights.room() - _SPARE
    if room <= 0:
        return 0
    now = runtime.clock.now()
    with runtime.database.reading() as session:
        due = refresh_claims.due(session, limit=room, now=now)
    for connection_id, version in due:
        runtime.flights.join(
            connection_id, partial(_renew_quietly, runtime, connection_id, version)
        )
    return len(due)


def renew(
    runtime: Runtime,
    connection_id: UUID,
    version: int,
    *,
    pause: Callable[[float], None] | None = None,
) -> None:
    """Renew a grant that is of `version` still, unless somebody else does; commits.

    Args:
        runtime: All of them.
        connection_id: Whose.
        version: Of the pair that is too old.
        pause: Waits so many seconds, between tries to store what Zoom gave; the
            clock does if it is not given.

    Raises:
        UpstreamError: Zoom did not renew it; noted.
        StorageError: The database cannot be used. If Zoom had renewed the grant by
            then, it is lost, and the next refresh will say so.
    """
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        claim = refresh_claims.claim(
            session, runtime.vault, connection_id, version=version, now=now
        )
    if claim is None:
        return
    try:
        tokens = runtime.zoom_grants.refresh(
            client_id=claim.app.client_id,
            client_secret=claim.client_secret,
            refresh_token=claim.refresh_token,
        )
    except UpstreamError as error:
        _note(runtime, claim, error)
        return
    result = _keep(runtime, claim, tokens, pause=pause or runtime.clock.sleep)
    if result is RefreshResult.GONE:
        _revoke(runtime, claim, tokens)
    if result in (RefreshResult.KEPT, RefreshResult.FOUND):
        now = runtime.clock.now()
        with runtime.database.writing() as session:
            refresh_claims.mark_renewed(
                session,
                connection_id,
                tokens,
                was_lost=result is RefreshResult.FOUND,
                now=now,
            )
        if claim.app.verdict is not Verdict.RIGHT:
            _remember(runtime, claim, Verdict.RIGHT, _RENEWED)


def _keep(
    runtime: Runtime,
    claim: Claim,
    tokens: GrantTokens,
    *,
    pause: Callable[[float], None],
) -> RefreshResult:
    """Commit the pair before anything else; it is the only one, so try for long."""
    for pause_s in (*_KEEPING_PAUSES_S, None):
        try:
            with runtime.database.writing() as session:
                return refresh_claims.store(
                    session, runtime.vault, claim, tokens, now=runtime.clock.now()
                )
        except StorageError:
            if pause_s is None:
                _log.exception(
                    "grant.not_stored", connection_id=str(claim.connection_id)
                )
                raise
            pause(pause_s)
    raise AssertionError("unreachable")


def _note(runtime: Runtime, claim: Claim, error: UpstreamError) -> None:
    """Write down what Zoom said instead of a pair; raise it unless it means the grant.

    Commits.

    Raises:
        UpstreamError: It says nothing of the grant.
    """
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        if error.code != "invalid_grant":
            refresh_claims.failed(session, claim, error, now=now)
        elif refresh_claims.refused(session, claim, now=now) is RefreshResult.LOST:
            refresh_claims.mark_lost(session, claim, error, now=now)
    if error.code == "invalid_client":
        where = credential_checks.wrong_pair_advice(claim.app.environment)
        _remember(runtime, claim, Verdict.WRONG, where)
    if error.code != "invalid_grant":
        raise error


def _remember(runtime: Runtime, claim: Claim, verdict: Verdict, why: str) -> None:
    """Keep what Zoom said of the app's pair by the way, for an admin to see."""
    pair_check = PairCheck(verdict=verdict, reason=why, at=runtime.clock.now())
    set_at = claim.app.client_secret_set_at
    credential_checks.store_pair_check(
        runtime, claim.app.id, pair_check, of_secret_set_at=set_at
    )


def _renew_quietly(runtime: Runtime, connection_id: UUID, version: int) -> None:
    try:
        renew(runtime, connection_id, version)
    except UpstreamError:
        pass  # noted in the row
    except DashboardError as error:
        _log.warning("grant.not_renewed", reason=str(error))


def _revoke(runtime: Runtime, claim: Claim, tokens: GrantTokens) -> None:
    """End a grant whose connection was deleted meanwhile: nobody holds it."""
    with suppress(UpstreamError):
        runtime.zoom_grants.revoke(
            client_id=claim.app.client_id,
            client_secret=claim.client_secret,
            access_token=tokens.access_token,
        )


def _read(runtime: Runtime, connection_id: UUID) -> HeldGrant:
    with runtime.database.reading() as session:
        return grants.get(session, connection_id)


def _not_yet(row: HeldGrant, now: datetime) -> UpstreamError:
    wait_s = max((row.refresh_due_at - now).total_seconds(), 1.0)
    why = row.failure or "It is being renewed at this moment."
    return UpstreamError(
        f"Zoom has not renewed this token yet. {why}",
        service="Zoom",
        retryable=True,
        retry_after_s=wait_s,
    )


def revoke(runtime: Runtime, row: Connection, app: ZoomApp) -> None:
    """End the connection's grant at Zoom if it is kept here; commits.

    One that is dead already is no error, nor is a pair that Zoom refuses: nobody can
    renew the grant with it either. A refresh under way ends what it gets by itself once
    the connection is deleted.

    Raises:
        UpstreamError: Zoom refused for another reason, or could not be asked.
    """
    if row.token_custody is TokenCustody.RECALL:
        return
    try:
        token = live_token(runtime, row.id, at_least_s=_AT_LEAST_S)
        runtime.zoom_grants.revoke(
            client_id=app.client_id,
            client_secret=apps.client_secret(runtime.vault, app),
            access_token=token,
        )
    except (GrantLostError, NotFoundError):
        return
    except UpstreamError as error:
        # A pair known to be wrong may not have been tried again just now.
        is_of_no_use = error.code in _OF_NO_USE or app.verdict is Verdict.WRONG
        if not is_of_no_use:
            raise
