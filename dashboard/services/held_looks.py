"""What a look needs of a grant that is kept here; nothing where Recall keeps it."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from dashboard.clients.recall_replies import AccessToken
from dashboard.errors import (
    ConflictError,
    GrantLostError,
    NotFoundError,
    UpstreamError,
)
from dashboard.models.connection import Connection
from dashboard.models.zoom_app import TokenCustody
from dashboard.services import held_grants, refreshing, registering
from dashboard.services.bundle import Services

_AT_LEAST_S = 330  # more than a look calls expiring
_PATIENCE_S = 1.0


def token_of(services: Services, row: Connection) -> Callable[[], AccessToken] | None:
    """Return what fetches the token of a held grant; None where Recall keeps it."""
    if row.token_custody is TokenCustody.RECALL:
        return None
    return partial(held_token, services, row.id)


def held_token(services: Services, connection_id: UUID) -> AccessToken:
    """Return a token that is kept here, to be seen by a look.

    While Zoom's answer to a refresh is owed there is none: the access token may live
    beside a refresh token that is dead, and would look healthy.

    Raises:
        UpstreamError: As Zoom says it: "invalid_grant" when the grant is lost.
    """
    try:
        refreshing.settle(services, connection_id, patience_s=_PATIENCE_S)
        refreshing.live_token(services, connection_id, at_least_s=_AT_LEAST_S)
        with services.database.reading() as session:
            row = held_grants.get(session, connection_id)
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
    token = held_grants.access_token(services.vault, row)
    return AccessToken(token=token, expires_at=row.expires_at)


def tell_recall(services: Services, row: Connection) -> UpstreamError | None:
    """Tell Recall where to ask if it could not be told yet; commits.

    For whoever holds the connection's lease.

    Returns:
        Why Recall could not be told, so that nothing can be seen; the next look tries
        again. None when it knows.
    """
    is_told = row.recall_credential_id is not None
    if is_told or row.token_custody is TokenCustody.RECALL:
        return None
    try:
        row.recall_credential_id = registering.register(services, row.id)
    except UpstreamError as error:
        return error
    except (ConflictError, NotFoundError) as error:
        return UpstreamError(str(error), service="Recall", status=400)
    return None


def _dead(why: str) -> UpstreamError:
    return UpstreamError(why, service="Zoom", status=400, code="invalid_grant")
