"""One look at a connection: a token, a real call with it, and what else is wanted.

The token is fetched from whoever keeps it, used once for Zoom's `users/me` and, where
that is not proved yet, once to fetch a join token; both are forgotten. Touches no
database. Sources: docs/contracts/recall.md 3.5 and 3.7, docs/contracts/zoom.md 4.1;
checked 2026-11-25.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ParamSpec, TypeVar
from uuid import UUID

from dashboard.clients.recall.api import Recall
from dashboard.clients.recall.replies import AccessToken, Mapping, RecallCredential
from dashboard.clients.zoom.api import JoinToken, ZoomApi, ZoomUser
from dashboard.errors import UpstreamError
from dashboard.models.connection import SyncStatus
from dashboard.models.zoom_app import Kind
from dashboard.services.connections.mappings import MOST
from dashboard.services.token_states import join_tokens, rules
from dashboard.services.token_states.rules import Seen

P = ParamSpec("P")
T = TypeVar("T")

SYNCING = frozenset({SyncStatus.NOT_STARTED, SyncStatus.IN_PROGRESS})


@dataclass(frozen=True, kw_only=True)
class Asks:
    """What a look asks besides a token and a real call with it.

    Each costs a call of another budget of Recall's, so that a routine look asks none.

    Attributes:
        has_record: Recall's record of the credential, even if the token works.
        has_mappings: Recall's list of its meetings: 60 calls a minute for all.
        is_syncing: A sync was under way: the list is read once it is done.
        has_join: A join token of a mapped meeting; one more call to Zoom.
        meetings: Meetings known to be mapped, newest first, for that.
        turn: Grows with each look.
    """

    has_record: bool = True
    has_mappings: bool = True
    is_syncing: bool = False
    has_join: bool = False
    meetings: Sequence[int] = ()
    turn: int = 0


EVERYTHING = Asks()
"""As when a person asks."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one look brought home.

    Attributes:
        mappings: Recall's, newest first; None when they could not be had, or were not
            asked for.
        join: A join token of a mapped meeting, or why there was none; None when it was
            not asked for.
    """

    seen: Seen
    mappings: Sequence[Mapping] | None = field(default=None)
    join: JoinToken | UpstreamError | None = field(default=None)


def look(  # noqa: PLR0913 - the facts of one look, all named
    recall: Recall,
    zoom: ZoomApi,
    *,
    kind: Kind,
    credential_id: UUID | None,
    asks: Asks = EVERYTHING,
    token_of: Callable[[], AccessToken] | None = None,
) -> Look:
    """Ask Recall and Zoom; what fails is part of what was seen. Touches no database.

    Args:
        recall: Of the app's workspace.
        zoom: Zoom's API.
        kind: Of the app.
        credential_id: Recall's; nothing is asked without one.
        asks: What else is asked.
        token_of: Fetches the token where Recall does not keep it; may raise
            UpstreamError.
    """
    if credential_id is None:
        return Look(seen=Seen(kind=kind))
    credential: RecallCredential | UpstreamError | None = None
    if asks.has_record:
        credential = _tried(recall.get_credential, credential_id)
        if isinstance(credential, UpstreamError):
            return Look(seen=Seen(kind=kind, credential=credential))
    token = _tried(token_of or partial(recall.access_token, credential_id))
    user = None if isinstance(token, UpstreamError) else _tried(zoom.me, token.token)
    if credential is None and _needs_record(token, user):
        credential = _tried(recall.get_credential, credential_id)
    seen = Seen(
        kind=kind,
        credential=credential,
        is_brief=credential is None,
        is_held=token_of is not None,
        token=token,
        user=user,
    )
    mapped, join = None, None
    if _needs_mappings(asks, credential):
        found = _tried(recall.mappings, credential=credential_id, limit=MOST)
        mapped = None if isinstance(found, UpstreamError) else found
    if asks.has_join and isinstance(token, AccessToken) and _is_known(user, kind):
        meetings = asks.meetings
        if mapped is not None:
            meetings = [one.meeting_id for one in mapped]
        join = join_tokens.fetch(zoom, token, meetings, turn=asks.turn)
    return Look(seen=seen, mappings=mapped, join=join)


def sync_status(text: str) -> SyncStatus:
    """Return Recall's word for it as ours; unknown for any other."""
    try:
        return SyncStatus(text)
    except ValueError:
        return SyncStatus.UNKNOWN


def _tried(ask: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | UpstreamError:
    try:
        return ask(*args, **kwargs)
    except UpstreamError as error:
        return error


def _needs_record(
    token: AccessToken | UpstreamError, user: ZoomUser | UpstreamError | None
) -> bool:
    """Whether Recall's record may tell why it failed."""
    failed = token if isinstance(token, UpstreamError) else user
    return isinstance(failed, UpstreamError) and not rules.tells_nothing(failed)


def _needs_mappings(
    asks: Asks, credential: RecallCredential | UpstreamError | None
) -> bool:
    if asks.has_mappings or (asks.has_join and not asks.meetings):
        return True
    if not asks.is_syncing or not isinstance(credential, RecallCredential):
        return False
    return sync_status(credential.meeting_sync_status) not in SYNCING


def _is_known(user: ZoomUser | UpstreamError | None, kind: Kind) -> bool:
    """Whether Zoom took the token, though an account's may not read a profile."""
    if isinstance(user, UpstreamError):
        return (
            kind is Kind.ACCOUNT_LEVEL and rules.missing_scopes(user, kind) is not None
        )
    return user is not None
