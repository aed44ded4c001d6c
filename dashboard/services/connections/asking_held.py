"""What a look needs of a grant that is kept here; nothing where Recall keeps it."""

from dataclasses import replace
from functools import partial
from uuid import UUID

from dashboard.clients.recall.api import Recall
from dashboard.clients.recall.replies import AccessToken
from dashboard.errors import (
    ConflictError,
    GrantLostError,
    NotFoundError,
    UpstreamError,
)
from dashboard.models.connection import Connection
from dashboard.models.held_grant import HeldGrant
from dashboard.models.zoom_app import Kind, TokenCustody
from dashboard.services.connections import asking
from dashboard.services.connections.asking import Asks, Look
from dashboard.services.grants import grants, refreshing
from dashboard.services.runtime import Runtime
from dashboard.services.token_states.rules import Seen

_AT_LEAST_S = 330  # more than a look calls expiring
_PATIENCE_S = 1.0
_NOT_FOUND = 404


def ask(
    runtime: Runtime, recall: Recall, row: Connection, *, kind: Kind, asks: Asks
) -> Look:
    """Ask as `looking.look` does, with a token of whoever keeps the grant; commits.

    For whoever holds the connection's lease. Of a grant that is kept here Recall is
    always asked for its record: nothing else would tell that it is gone there. Then,
    and where Recall could not be told before, it is told where to ask.

    Args:
        runtime: All of them.
        recall: Of the app's workspace.
        row: Whose; as claimed.
        kind: Of the app.
        asks: What a look asks besides a token.
    """
    if row.token_custody is TokenCustody.RECALL:
        credential_id = row.recall_credential_id
        return asking.look(
            recall, runtime.zoom, kind=kind, credential_id=credential_id, asks=asks
        )
    found = _asked(runtime, recall, row, kind=kind, asks=asks)
    if not _is_gone(found.seen):
        return found
    row.recall_credential_id = None
    return _asked(runtime, recall, row, kind=kind, asks=asks)


def _asked(
    runtime: Runtime, recall: Recall, row: Connection, *, kind: Kind, asks: Asks
) -> Look:
    trouble = _told(runtime, row)
    if trouble is not None:
        return Look(seen=Seen(kind=kind, credential=trouble, is_held=True))
    return asking.look(
        recall,
        runtime.zoom,
        kind=kind,
        credential_id=row.recall_credential_id,
        asks=replace(asks, has_record=True),
        token_of=partial(held_token, runtime, row.id),
    )


def _is_gone(seen: Seen) -> bool:
    error = seen.credential
    return isinstance(error, UpstreamError) and error.status == _NOT_FOUND


def held_token(runtime: Runtime, connection_id: UUID) -> AccessToken:
    """Return a token that is kept here, to be seen by a look.

    While Zoom's answer to a refresh is owed there is none: the access token may live
    beside a refresh token that is dead, and would look healthy.

    Raises:
        UpstreamError: As Zoom says it: "invalid_grant" when the grant is lost.
    """
    try:
        refreshing.settle(runtime, connection_id, patience_s=_PATIENCE_S)
        refreshing.live_token(runtime, connection_id, at_least_s=_AT_LEAST_S)
        with runtime.database.reading() as session:
            row = grants.get(session, connection_id)
    except GrantLostError as error:
        raise _dead(str(error)) from None
    except NotFoundError:
        raise _dead("The dashboard holds no grant of this connection.") from None
    if row.lost_at is not None:
        raise _dead("Zoom refused to renew it.")
    if row.asked_at is not None:
        raise UpstreamError(
            "Zoom was asked to renew the token, and what it answered is not known yet.",
            service="Zoom",
            retryable=True,
        )
    token = grants.access_token(runtime.vault, row)
    return AccessToken(token=token, expires_at=row.expires_at)


def _told(runtime: Runtime, row: Connection) -> UpstreamError | None:
    """Tell Recall where to ask, unless it knows or there is nothing to ask for.

    Returns:
        Why Recall could not be told, so that nothing can be seen; the next look tries
        again.
    """
    if row.recall_credential_id is not None or _is_lost(runtime, row.id):
        return None
    try:
        row.recall_credential_id = grants.register(runtime, row.id)
    except UpstreamError as error:
        return error
    except (ConflictError, NotFoundError) as error:
        return UpstreamError(str(error), service="Recall", status=400)
    return None


def _is_lost(runtime: Runtime, connection_id: UUID) -> bool:
    with runtime.database.reading() as session:
        grant = session.get(HeldGrant, connection_id)
    return grant is None or grant.lost_at is not None


def _dead(why: str) -> UpstreamError:
    return UpstreamError(why, service="Zoom", status=400, code="invalid_grant")
