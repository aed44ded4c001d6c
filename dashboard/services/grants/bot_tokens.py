"""Tokens with which a bot joins a meeting, fetched to see that it works, and dropped.

Recall fetches them itself, from `/tokens/<key>/zak` and `/obf` (docs/tokens.md).
"""

from enum import StrEnum
from uuid import UUID

from dashboard.services.grants import refreshing
from dashboard.services.runtime import Runtime


class BotToken(StrEnum):
    """A token for a bot, by the last part of its address."""

    ZAK = "zak"
    OBF = "obf"


def try_fetch(runtime: Runtime, connection_id: UUID, which: BotToken) -> None:
    """Fetch a token of a user whose grant is stored here, and drop it.

    Changes nothing at Zoom. Refreshes the access token if it has to, and commits then.

    Raises:
        NotFoundError: No grant of the connection is stored here.
        GrantLostError: The user must reconnect.
        UpstreamError: Zoom gives none; a missing scope is named.
    """
    token = refreshing.live_token(runtime, connection_id)
    if which is BotToken.ZAK:
        runtime.zoom.zak(token)
    else:
        runtime.zoom.obf(token)
