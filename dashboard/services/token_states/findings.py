"""What one look at a connection saw, and what that amounts to."""

from dataclasses import dataclass

from dashboard.clients.recall.replies import AccessToken, RecallCredential
from dashboard.clients.zoom.api import ZoomUser
from dashboard.errors import UpstreamError, words
from dashboard.models.connection import TokenState
from dashboard.models.zoom_app import Kind
from dashboard.services.token_states import who_acts
from dashboard.services.token_states.who_acts import Who


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What came of each question of one look, or the error that came instead.

    Attributes:
        kind: Whose grant it is: accounts need no scope to read a profile.
        credential: Recall's record; None when the dashboard knows no credential, or
            has not asked for it.
        is_brief: It was not asked for: the token works, and that tells enough.
        is_held: The token is one that the dashboard holds itself.
        token: Asked only when there is a credential.
        user: Zoom's answer to a real call; asked only when there is a token.
    """

    kind: Kind = Kind.USER_LEVEL
    credential: RecallCredential | UpstreamError | None = None
    is_brief: bool = False
    is_held: bool = False
    token: AccessToken | UpstreamError | None = None
    user: ZoomUser | UpstreamError | None = None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A token state, why, and by which means it was seen.

    Attributes:
        reason: One or two sentences: what is the matter, who must act.
        evidence: What was asked and what came back.
        wait_s: What an answer asked us to wait, in seconds.
    """

    state: TokenState
    reason: str
    evidence: str
    wait_s: float | None = None

    @property
    def who(self) -> Who:
        """Return who must act, as far as the token tells."""
        return who_acts.who_for(self.state, self.reason)


def unknown(reason: str, error: UpstreamError | None) -> Finding:
    """Return that nothing was seen, with why and what came instead."""
    return Finding(
        state=TokenState.UNKNOWN,
        reason=reason,
        evidence="" if error is None else f"{error.service}: {words(error)[:250]}",
        wait_s=None if error is None else error.retry_after_s,
    )
