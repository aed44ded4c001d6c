"""A connection whose grant is kept here: found, made or renewed, told to Recall."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from dashboard import errors
from dashboard.clients.zoom.api import ZoomUser
from dashboard.clients.zoom.grants import GrantTokens
from dashboard.errors import ConflictError, NotFoundError, UpstreamError
from dashboard.formatting import masked_email, masked_id
from dashboard.models.connection import Connection, SyncStatus, TokenState
from dashboard.models.held_grant import HeldGrant
from dashboard.models.zoom_app import Kind, TokenCustody, ZoomApp
from dashboard.services import urls
from dashboard.services.connections import checking, recording
from dashboard.services.grants import grants
from dashboard.services.runtime import Runtime

_NOT_SEEN = "Connected; not looked at yet. The next look comes by itself."
_SEEN_BY = "Zoom took the code."


@dataclass(frozen=True, kw_only=True)
class Got:
    """What Zoom gave for the code, and whose it is.

    Attributes:
        profile: None when Zoom did not show it.
        trouble: Why not.
    """

    tokens: GrantTokens
    asked_at: datetime
    profile: ZoomUser | None
    trouble: UpstreamError | None

    @property
    def user_id(self) -> str | None:
        """Zoom's user id."""
        return self.tokens.user_id if self.profile is None else self.profile.id

    @property
    def account_id(self) -> str | None:
        """Zoom's account id."""
        told = None if self.profile is None else self.profile.account_id
        return told or self.tokens.account_id

    @property
    def masked(self) -> str:
        """Name the account so that only its owner knows it."""
        if self.profile is not None and self.profile.email:
            return masked_email(self.profile.email)
        return masked_id(self.user_id or self.account_id or "")


def same(
    session: Session, app: ZoomApp, got: Got, *, locks: bool = False
) -> tuple[Connection | None, HeldGrant | None]:
    """Return the connection of the user or account, and its grant if it is here.

    Args:
        session: Reading; writing if it locks.
        app: Whose connections are searched.
        got: From Zoom.
        locks: Keep both rows as they are until the caller commits.
    """
    if app.kind is Kind.USER_LEVEL:
        told, column = got.user_id, col(Connection.zoom_user_id)
    else:
        told, column = got.account_id, col(Connection.zoom_account_id)
    if told is None:
        return None, None
    query = select(Connection).where(col(Connection.zoom_app_id) == app.id)
    query = query.where(column == told)
    row = session.exec(query.with_for_update() if locks else query).first()
    if row is None:
        return None, None
    return row, session.get(HeldGrant, row.id, with_for_update=locks)


def connected(
    session: Session, app: ZoomApp, row: Connection | None, got: Got, *, now: datetime
) -> Connection:
    """Make or renew the connection and lease it: Recall is told next.

    The caller commits.
    """
    if row is None:
        row = Connection(zoom_app_id=app.id, connected_at=now, due_at=now)
    else:
        row.reconnected_at = now
    row.token_custody = TokenCustody.DASHBOARD
    if app.kind is Kind.USER_LEVEL:
        row.zoom_user_id = got.user_id
    row.zoom_account_id = got.account_id or row.zoom_account_id
    if got.profile is not None:
        row.display_name = got.profile.display_name or row.display_name
        row.email = got.profile.email or row.email
        if app.kind is Kind.USER_LEVEL and got.profile.pmi is not None:
            recording.note_pmi(row, got.profile.pmi, at=now, by=recording.PROFILE)
    row.scopes = got.tokens.scope[:4000] or None
    row.token_state, row.token_reason = TokenState.UNKNOWN, _NOT_SEEN
    row.token_evidence = _SEEN_BY
    row.deauthorized_at = row.token_checked_at = None
    row.sync_status, row.recall_status = SyncStatus.UNKNOWN, ""
    row.due_at, row.lease_until = now, now + checking.LEASE
    row.claim += 1  # a look under way saw the grant before this one
    session.add(row)
    session.flush()
    return row


def keep(  # noqa: PLR0913 - what belongs together, all named
    runtime: Runtime,
    session: Session,
    row: Connection,
    grant: HeldGrant | None,
    got: Got,
    *,
    now: datetime,
) -> None:
    """Keep the grant in place of the one before, if there was one; the caller commits.

    Args:
        runtime: All of them.
        session: Writing.
        row: The connection, stored already.
        grant: Locked; None when none of it is here.
        got: From Zoom.
        now: Aware.
    """
    if grant is None:
        grant = grants.add(
            session,
            runtime.vault,
            row.id,
            got.tokens,
            key=urls.new_key(),
            asked_at=got.asked_at,
            now=now,
        )
    else:
        grants.put(
            session,
            runtime.vault,
            grant,
            got.tokens,
            asked_at=got.asked_at,
            now=now,
        )
        grant.lease_until = None  # a refresh under way renews what is dead now
        grant.claim += 1
    row.token_expires_at = grant.expires_at


def tell_recall(runtime: Runtime, row: Connection) -> None:
    """Have Recall ask here for the tokens, or leave it to the next look; commits."""
    detail = ""
    try:
        grants.register(runtime, row.id)
    except UpstreamError as error:
        detail = errors.words(error)
    except (ConflictError, NotFoundError) as error:
        detail = str(error)
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        held = session.get(Connection, row.id, with_for_update=True)
        if held is None or held.claim != row.claim:
            return
        held.lease_until, held.due_at = None, now
        if detail:
            held.token_reason = f"Recall could not be told of it yet. {detail}"[:500]
        session.add(held)
