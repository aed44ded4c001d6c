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
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from pydantic import SecretStr

from dashboard.clients.zoom.grants import GrantTokens, ZoomGrants
from dashboard.clients.zoom.oauth import REFUSALS_OF_THE_APP
from dashboard.db import Database
from dashboard.errors import (
    DashboardError,
    GrantLostError,
    NotFoundError,
    StorageError,
    UpstreamError,
)
from dashboard.logs import Outages
from dashboard.models.connection import Connection
from dashboard.models.held_grant import HeldGrant
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import TokenCustody, ZoomApp
from dashboard.services.grants import grants, refresh_claims
from dashboard.services.grants.refresh_claims import Claim, RefreshResult
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps, credential_checks, hosts
from dashboard.services.zoom_apps.apps import PairCheck

AT_LEAST_S = 120
"""Seconds that a token must have left for Recall (docs/contracts/recall.md 5)."""

WAIT_S = 4.0
"""How long a caller waits for a refresh: Recall waits 5 s."""

_POLLS_EVERY_S = 0.1
_SPARE = 8  # threads for callers that wait, when Zoom is slow
_CALM_S = 60.0
_STORING_PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_RENEWED = "Zoom refreshed a user's token with these credentials."
_LOST = "Zoom no longer accepts this authorization. The user must reconnect."

_log = structlog.get_logger(__name__)


_AT_LEAST_S = 30
# Already revoked; or Zoom refuses the app, so no one can use the grant.
_UNUSABLE = {"invalid_grant", "invalid_client", *REFUSALS_OF_THE_APP}


@dataclass(frozen=True, kw_only=True)
class LiveToken:
    """An access token, and when it ends."""

    token: SecretStr
    expires_at: datetime


def live_token(
    runtime: Runtime,
    connection_id: UUID,
    *,
    at_least_s: int = AT_LEAST_S,
    wait_s: float = WAIT_S,
) -> SecretStr:
    """Return the token of `live_grant`, which it is like in all else."""
    return live_grant(
        runtime, connection_id, at_least_s=at_least_s, wait_s=wait_s
    ).token


def live_grant(
    runtime: Runtime,
    connection_id: UUID,
    *,
    at_least_s: int = AT_LEAST_S,
    wait_s: float = WAIT_S,
) -> LiveToken:
    """Return an access token with time left; refreshes it, or waits for the refresh.

    Args:
        runtime: All of them.
        connection_id: A connection whose grant is stored here.
        at_least_s: Seconds it must have left; a token just refreshed is always
        returned.
        wait_s: How long to wait. The refresh goes on without us.

    Raises:
        NotFoundError: No grant of it is stored here.
        GrantLostError: The user must reconnect.
        UpstreamError: Zoom did not refresh it, or not in time. With `code`
            "invalid_client" an admin must act.
        StorageError: The database can't be used.
    """
    ends = time.monotonic() + wait_s
    first_version: int | None = None
    while True:
        row, now = _read(runtime.database, connection_id), runtime.clock.now()
        first_version = first_version or row.version
        if row.lost_at is not None:
            raise GrantLostError(_LOST)
        is_fresh = row.version != first_version and row.expires_at > now
        if is_fresh or row.expires_at >= now + timedelta(seconds=at_least_s):
            token = grants.access_token(runtime.vault, row)
            return LiveToken(token=token, expires_at=row.expires_at)
        left_s = ends - time.monotonic()
        if left_s <= 0:
            raise _not_yet(row, now)
        if not refresh_claims.is_free(row, now=now):
            time.sleep(min(_POLLS_EVERY_S, left_s))  # another process refreshes it
        elif row.failures and row.refresh_due_at > now:
            raise _not_yet(row, now)
        else:
            flight = runtime.flights.join(
                connection_id, partial(refresh, runtime, connection_id, row.version)
            )
            with suppress(NotYetError):
                flight.result(left_s)


def settle(runtime: Runtime, connection_id: UUID, *, wait_s: float = WAIT_S) -> None:
    """Find out how a refresh with a lost answer ended, if that can be known now.

    If another process is asking right now, waits for it briefly.

    Raises:
        NotFoundError: No grant of it is stored here.
        UpstreamError: Zoom did not answer.
        StorageError: The database can't be used.
    """
    ends = time.monotonic() + wait_s
    while True:
        row, now = _read(runtime.database, connection_id), runtime.clock.now()
        left_s = ends - time.monotonic()
        if row.asked_at is None or row.lost_at is not None or left_s <= 0:
            return
        if refresh_claims.is_free(row, now=now):
            if row.failures and row.refresh_due_at > now:
                return
            flight = runtime.flights.join(
                connection_id, partial(refresh, runtime, connection_id, row.version)
            )
            with suppress(NotYetError):
                flight.result(left_s)
        else:
            time.sleep(min(_POLLS_EVERY_S, left_s))


class DueRefreshes:
    """The worker's chore: starts refreshing the grants that are due.

    Many processes may run it at once.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._waiting = Outages(
            _log,
            "grant.not_renewed",
            "grant.still_not_renewed",
            "grant.renewals_go_on",
            calm_s=_CALM_S,
        )

    def __call__(self) -> int:
        """Start them; return how many. Waits for none. Commits, in its own threads."""
        runtime = self._runtime
        room = runtime.flights.room() - _SPARE
        if room <= 0:
            return 0
        now = runtime.clock.now()
        with runtime.database.reading() as session:
            due = refresh_claims.due(session, limit=room, now=now)
        for connection_id, version in due:
            runtime.flights.join(
                connection_id, partial(self._refresh, connection_id, version)
            )
        return len(due)

    def _refresh(self, connection_id: UUID, version: int) -> None:
        try:
            refresh(self._runtime, connection_id, version)
            self._waiting.end()
        except UpstreamError:
            pass  # recorded in the row
        except DashboardError as error:
            if not error.is_logged:
                self._waiting.record(
                    type(error).__name__,
                    connection_id=str(connection_id),
                    reason=str(error),
                )


def refresh(
    runtime: Runtime,
    connection_id: UUID,
    version: int,
    *,
    pause: Callable[[float], None] | None = None,
) -> None:
    """Refresh a grant that still has `version`, unless another process does; commits.

    Args:
        runtime: All of them.
        connection_id: The connection.
        version: Of the pair that is too old.
        pause: Waits that many seconds between attempts to store the new pair; by
            default the clock.

    Raises:
        UpstreamError: Zoom did not refresh it; recorded.
        StorageError: The database can't be used. If Zoom had refreshed the grant by
            then, it is lost, and the next refresh will show that.
    """
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        claim = refresh_claims.claim(
            session, runtime.vault, connection_id, version=version, now=now
        )
    if claim is None:
        return
    try:
        zoom = hosts.of_cloud(runtime.zoom_grants, claim.app.zoom_cloud)
        tokens = zoom.refresh(
            client_id=claim.app.client_id,
            client_secret=claim.client_secret,
            refresh_token=claim.refresh_token,
        )
    except UpstreamError as error:
        _record_error(runtime, claim, error)
        return
    result = _store(runtime, claim, tokens, pause=pause or runtime.clock.sleep)
    if result is RefreshResult.GONE:
        zoom = hosts.of_cloud(runtime.zoom_grants, claim.app.zoom_cloud)
        _revoke(zoom, claim, tokens)
    if result in (RefreshResult.STORED, RefreshResult.FOUND):
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
            _record_pair_check(runtime, claim, Verdict.RIGHT, _RENEWED)


def _store(
    runtime: Runtime,
    claim: Claim,
    tokens: GrantTokens,
    *,
    pause: Callable[[float], None],
) -> RefreshResult:
    """Store the only pair before anything else, and keep trying; commits."""
    for pause_s in (*_STORING_PAUSES_S, None):
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


def _record_error(runtime: Runtime, claim: Claim, error: UpstreamError) -> None:
    """Record Zoom's error; raise it unless it means that the grant is lost.

    Commits.

    Raises:
        UpstreamError: It says nothing about the grant.
    """
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        if error.code != "invalid_grant":
            refresh_claims.failed(session, claim, error, now=now)
        elif refresh_claims.refused(session, claim, now=now) is RefreshResult.LOST:
            refresh_claims.mark_lost(session, claim, error, now=now)
    if error.code == "invalid_client":
        where = credential_checks.wrong_pair_advice(claim.app.environment)
        _record_pair_check(runtime, claim, Verdict.WRONG, where)
    refusal = credential_checks.refusal_of_the_app(error, at=runtime.clock.now())
    if refusal is not None:
        _store_pair_check(runtime, claim, refusal)
    if error.code != "invalid_grant":
        raise error


def _record_pair_check(
    runtime: Runtime, claim: Claim, verdict: Verdict, why: str
) -> None:
    """Store what the refresh showed about the app's credentials, for an admin."""
    pair_check = PairCheck(verdict=verdict, reason=why, at=runtime.clock.now())
    _store_pair_check(runtime, claim, pair_check)


def _store_pair_check(runtime: Runtime, claim: Claim, pair_check: PairCheck) -> None:
    set_at = claim.app.client_secret_set_at
    credential_checks.store_pair_check(
        runtime, claim.app.id, pair_check, of_secret_set_at=set_at
    )


def _revoke(zoom: ZoomGrants, claim: Claim, tokens: GrantTokens) -> None:
    """Revoke a grant whose connection was deleted meanwhile."""
    with suppress(UpstreamError):
        zoom.revoke(
            client_id=claim.app.client_id,
            client_secret=claim.client_secret,
            access_token=tokens.access_token,
        )


def _read(database: Database, connection_id: UUID) -> HeldGrant:
    with database.reading() as session:
        return grants.get(session, connection_id)


def _not_yet(row: HeldGrant, now: datetime) -> UpstreamError:
    wait_s = max((row.refresh_due_at - now).total_seconds(), 1.0)
    why = row.failure or "It is being refreshed now."
    return UpstreamError(
        f"Zoom has not refreshed this token yet. {why}",
        service="Zoom",
        retryable=True,
        retry_after_s=wait_s,
    )


def revoke(runtime: Runtime, row: Connection, app: ZoomApp) -> None:
    """Revoke the connection's grant at Zoom if it is stored here; commits.

    A grant that has already ended is no error, nor are app credentials that Zoom
    rejects: no one can refresh the grant with them. A running refresh revokes its own
    result once the connection is deleted.

    Raises:
        UpstreamError: Zoom refused for another reason, or didn't answer.
    """
    if row.token_custody is TokenCustody.RECALL:
        return
    try:
        token = live_token(runtime, row.id, at_least_s=_AT_LEAST_S)
        hosts.of_cloud(runtime.zoom_grants, app.zoom_cloud).revoke(
            client_id=app.client_id,
            client_secret=apps.client_secret(runtime.vault, app),
            access_token=token,
        )
    except (GrantLostError, NotFoundError):
        return
    except UpstreamError as error:
        # Credentials known to be wrong may not have been tried again just now.
        is_unusable = error.code in _UNUSABLE or app.verdict is Verdict.WRONG
        if not is_unusable:
            raise
