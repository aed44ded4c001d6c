"""Token storage `dashboard`: the code is exchanged here and the grant is stored here.

The grant and its connection are stored in one commit, before it is registered at
Recall. Source: docs/contracts/zoom.md 3.5 and docs/contracts/recall.md 5;
checked 2026-11-25.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http import HTTPStatus

from sqlmodel import Session, col, select

from dashboard import errors
from dashboard.clients.zoom.api import ZoomApi, ZoomUser
from dashboard.clients.zoom.grants import GrantTokens
from dashboard.errors import ConflictError, NotFoundError, UpstreamError
from dashboard.models.connection import AttemptOutcome, Connection
from dashboard.models.held_grant import HeldGrant
from dashboard.models.zoom_app import Kind, TokenCustody
from dashboard.services import urls
from dashboard.services.connect.exchange import (
    ChangedError,
    Exchange,
    GrantedProfile,
    SupersededError,
    Verdict,
)
from dashboard.services.connections import check, recording
from dashboard.services.grants import grants
from dashboard.services.zoom_apps import apps, hosts, scopes

_UNKNOWN_USER = (
    "Zoom didn't say who authorized the app: the scope user:read:user is missing. An "
    "admin must add it to the app in Zoom Marketplace. Nothing was stored."
)


@dataclass(frozen=True, kw_only=True)
class GrantedHere(GrantedProfile):
    """The tokens that Zoom gave for the code, and the profile where it was readable."""

    tokens: GrantTokens
    asked_at: datetime
    profile: ZoomUser | None


class ExchangeHere(Exchange[GrantedHere]):
    """The dashboard exchanges the code and stores the tokens."""

    custody = TokenCustody.DASHBOARD
    evidence = "Zoom accepted the code."
    refused = AttemptOutcome.REFUSED_BY_ZOOM
    pauses_s = (0.0, 0.2, 1.0, 3.0)  # the grant exists nowhere else

    def _spend(self) -> GrantedHere:
        runtime, app = self._runtime, self._attempt.app
        # Fails for an address that Recall would not take, before the code is spent.
        urls.token_url(runtime.public_url, urls.new_key())
        asked_at = runtime.clock.now()
        tokens = hosts.of_cloud(runtime.zoom_grants, app.zoom_cloud).exchange(
            client_id=app.client_id,
            client_secret=apps.client_secret(runtime.vault, app),
            code=self._attempt.code,
            redirect_uri=urls.redirect_url(runtime.hosted_url),
            code_verifier=self._attempt.verifier,
        )
        profile, error = None, None
        try:
            profile = self._zoom(tokens).me(tokens.access_token)
        except UpstreamError as caught:
            error = caught
        account_id = None if profile is None else profile.account_id
        return GrantedHere(
            tokens=tokens,
            asked_at=asked_at,
            profile=profile,
            user_id=tokens.user_id if profile is None else profile.id,
            account_id=account_id or tokens.account_id,
            email="" if profile is None else profile.email,
            error=error,
        )

    def _zoom(self, tokens: GrantTokens) -> ZoomApi:
        """Return the API at the host that came with the tokens."""
        if tokens.api_url:
            return self._runtime.zoom.at(tokens.api_url)
        return hosts.of_cloud(self._runtime.zoom, self._attempt.app.zoom_cloud)

    _version: int | None = None

    def _prepare(self, granted: GrantedHere) -> None:
        with self._runtime.database.reading() as session:
            _, before = self._same(session, granted)
        self._version = None if before is None else before.version
        if before is None:
            return
        # Of two authorizations at once the later one ended the earlier
        # (docs/contracts/zoom.md 3.5).
        if before.obtained_at >= granted.asked_at and not self._is_alive(granted):
            raise SupersededError

    def _find(self, session: Session, granted: GrantedHere) -> Connection | None:
        row, grant = self._same(session, granted, locks=True)
        if grant is not None and grant.version != self._version:
            raise ChangedError
        return row

    def _same(
        self, session: Session, granted: GrantedHere, *, locks: bool = False
    ) -> tuple[Connection | None, HeldGrant | None]:
        """Return the connection of the user or account, and its grant if it is here."""
        app = self._attempt.app
        if app.kind is Kind.USER_LEVEL:
            zoom_id, column = granted.user_id, col(Connection.zoom_user_id)
        else:
            zoom_id, column = granted.account_id, col(Connection.zoom_account_id)
        if zoom_id is None:
            return None, None
        query = select(Connection).where(col(Connection.zoom_app_id) == app.id)
        query = query.where(column == zoom_id)
        row = session.exec(query.with_for_update() if locks else query).first()
        if row is None:
            return None, None
        return row, session.get(HeldGrant, row.id, with_for_update=locks)

    def _is_alive(self, granted: GrantedHere) -> bool:
        """Whether Zoom still accepts the token; an error of its own says nothing."""
        try:
            self._zoom(granted.tokens).me(granted.tokens.access_token)
        except UpstreamError as error:
            return error.own_status != HTTPStatus.UNAUTHORIZED
        return True

    def _unreadable(self, error: UpstreamError | None) -> Verdict | None:  # noqa: ARG002 - whatever it is
        return AttemptOutcome.REFUSED_BY_ZOOM, _UNKNOWN_USER

    def _fill(self, row: Connection, granted: GrantedHere) -> None:
        profile, at = granted.profile, row.granted_at
        is_user = self._attempt.app.kind is Kind.USER_LEVEL
        if is_user:
            row.zoom_user_id = granted.user_id
        if profile is not None:
            row.display_name = profile.display_name or row.display_name
            row.email = profile.email or row.email
            if is_user and (profile.pmi is not None or profile.has_no_pmi):
                recording.note_pmi(row, profile.pmi, at=at, by=recording.PROFILE)
        row.scopes = granted.tokens.scope or None
        row.lease_until = row.due_at + check.LEASE  # it is registered at Recall next

    def _store_tokens(
        self, session: Session, row: Connection, granted: GrantedHere, *, now: datetime
    ) -> None:
        grant = session.get(HeldGrant, row.id)
        if grant is None:
            grant = grants.add(
                session,
                self._runtime.vault,
                row.id,
                granted.tokens,
                key=urls.new_key(),
                asked_at=granted.asked_at,
                now=now,
            )
        else:
            grants.put(
                session,
                self._runtime.vault,
                grant,
                granted.tokens,
                asked_at=granted.asked_at,
                now=now,
            )
            grant.lease_until = None  # a refresh that is running renews a dead grant
            grant.claim += 1
        row.token_expires_at = grant.expires_at

    def _reject(
        self,
        session: Session,  # noqa: ARG002 - nothing has to be stored for it
        granted: GrantedHere,
        *,
        now: datetime,  # noqa: ARG002 - as above
    ) -> Callable[[], None]:
        return partial(self._revoke, granted)

    def _revoke(self, granted: GrantedHere) -> None:
        """End a grant that is not stored; nothing else has it."""
        app = self._attempt.app
        with suppress(UpstreamError):
            zoom = hosts.of_cloud(self._runtime.zoom_grants, app.zoom_cloud)
            zoom.revoke(
                client_id=app.client_id,
                client_secret=apps.client_secret(self._runtime.vault, app),
                access_token=granted.tokens.access_token,
            )

    def _after(self, row: Connection) -> None:
        """Register at Recall, or leave it to the next check; commits."""
        detail = ""
        try:
            grants.register(self._runtime, row.id)
        except UpstreamError as error:
            detail = errors.words(error)
        except (ConflictError, NotFoundError) as error:
            detail = str(error)
        now = self._runtime.clock.now()
        with self._runtime.database.writing() as session:
            held = session.get(Connection, row.id, with_for_update=True)
            if held is None or held.claim != row.claim:
                return
            held.lease_until, held.due_at = None, now
            if detail:
                reason = f"Recall does not know this connection yet. {detail}"
                held.token_reason = reason[:500]
            session.add(held)

    def _missing_scopes(self, granted: GrantedHere) -> str:
        if not granted.tokens.scope:
            return ""
        granted_names = set(granted.tokens.scope.split())
        names = scopes.missing(granted_names, self._attempt.app)
        return f"Zoom did not grant {', '.join(names)}." if names else ""
