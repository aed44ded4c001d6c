"""From what one look saw to a token state with its reason. Pure: asks nobody.

Sources: contracts/recall.md 3.5 and 4, contracts/zoom.md 3.3, 4.3 and 9; checked
2026-11-23.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboard.clients.recall_replies import (
    AccessToken,
    CredentialStatus,
    RecallCredential,
)
from dashboard.clients.zoom import ZoomUser
from dashboard.errors import UpstreamError
from dashboard.models.connection import TokenState
from dashboard.models.zoom_app import Kind

RENEWED_BEFORE = timedelta(minutes=5)
"""A token with less left should have been renewed by Recall already."""

_SCOPES_CODE = "4711"
_THROTTLED = 429
_HEALTHY_EVERY = timedelta(hours=6)
_FAILING_EVERY = timedelta(minutes=30)
_UNKNOWN_EVERY = timedelta(minutes=5)
_ASKED_TO_WAIT_AT_MOST = timedelta(hours=1)

_DEAD_GRANT = re.compile(r"invalid[_ ]grant|invalid token!", re.IGNORECASE)
_WRONG_PAIR = re.compile(r"invalid[_ ]client", re.IGNORECASE)
_SCOPE = re.compile(r"[a-z_]+(?::[a-z_0-9]+)+")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What came of each question of one look, or the error that came instead.

    Attributes:
        kind: Whose grant it is: accounts need no scope to read a profile.
        credential: Recall's record; None when the dashboard knows no credential.
        token: Asked only when there is a credential.
        user: Zoom's answer to a real call; asked only when there is a token.
    """

    kind: Kind = Kind.USER_LEVEL
    credential: RecallCredential | UpstreamError | None = None
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


def judge(seen: Seen, *, now: datetime) -> Finding:
    """Return the state that follows from what was seen; never green unseen."""
    if seen.credential is None:
        return Finding(
            state=TokenState.RECONNECT_NEEDED,
            reason="Recall holds no credential for this user. The user must reconnect.",
            evidence="The dashboard knows of no Recall credential.",
        )
    if isinstance(seen.credential, UpstreamError):
        return _without_credential(seen.credential)
    if isinstance(seen.token, UpstreamError):
        dead = _dead_in_recall(seen.token)
        return dead or _marked(seen.credential) or _without_token(seen.token)
    if seen.token is None:
        return _unknown("Recall was not asked for a token.", None)
    refused = _refused_by_zoom(seen, seen.token, now)
    return refused or _marked(seen.credential) or _with_token(seen, seen.token, now)


def next_look(
    state: TokenState, *, now: datetime, wait_s: float | None, spread: float
) -> datetime:
    """Return when to look again: failing ones sooner, what is nobody's fault soonest.

    Args:
        state: What was found.
        now: Aware.
        wait_s: What an answer asked us to wait, in seconds; at most an hour counts.
        spread: 0 to 1, different for each connection, so that they do not come at once.
    """
    match state:
        case TokenState.HEALTHY:
            every = _HEALTHY_EVERY
        case TokenState.UNKNOWN | TokenState.EXPIRING:
            every = _UNKNOWN_EVERY
        case _:
            every = _FAILING_EVERY
    if wait_s is not None:
        every = max(every, min(timedelta(seconds=wait_s), _ASKED_TO_WAIT_AT_MOST))
    return now + every * (0.9 + 0.2 * spread)


def held_up(seen: Seen, *, now: datetime) -> UpstreamError | None:
    """Return the 429 that kept a look from seeing anything; None if it saw something.

    Recall's, or of our own budgets: it is the workspace's and says nothing about the
    token, so what was seen before stands, with its age.
    """
    if judge(seen, now=now).state is not TokenState.UNKNOWN:
        return None
    for answer in (seen.credential, seen.token):
        if isinstance(answer, UpstreamError):
            return answer if answer.status == _THROTTLED else None
    return None


def scopes_in(text: str | None) -> Sequence[str]:
    """Return the scope names in a sentence of Zoom's, sorted, each once."""
    return sorted(set(_SCOPE.findall(text or "")))


def missing_scopes(error: UpstreamError, kind: Kind) -> Finding | None:
    """Return what a refusal says of scopes, as the kind of app names them.

    None when it was refused for another reason.
    """
    if not _lacks_scopes(error):
        return None
    names = scopes_in(_words(error))
    is_account = kind is Kind.ACCOUNT_LEVEL
    own = [name for name in names if (":admin" in name) is is_account]
    listed = ", ".join(own or names) or "a scope it needs"
    return Finding(
        state=TokenState.MISSING_SCOPES,
        reason=(
            f"The grant lacks {listed}. Add it to the app in Zoom's Marketplace "
            "if it is not there, then let the user reconnect and leave it ticked."
        ),
        evidence=f"Zoom refused a real call: {_words(error)}",
    )


def _without_credential(error: UpstreamError) -> Finding:
    if error.status == 404:  # noqa: PLR2004 - HTTP's own number
        return Finding(
            state=TokenState.RECONNECT_NEEDED,
            reason="Recall no longer has this credential. The user must reconnect.",
            evidence="Recall answered 404 for the credential.",
        )
    if error.status == 401:  # noqa: PLR2004 - HTTP's own number
        return _unknown(
            "Recall refused the workspace's API key. No user has to act; an admin "
            "must set the right key in the workspace.",
            error,
        )
    return _unknown(_no_users_fault(error), error)


def _dead_in_recall(error: UpstreamError) -> Finding | None:
    if not _says(error, _DEAD_GRANT):
        return None
    return Finding(
        state=TokenState.RECONNECT_NEEDED,
        reason=(
            "Zoom no longer accepts this grant: the user removed the app, authorised "
            "it elsewhere, or left it unused for 90 days. The user must reconnect."
        ),
        evidence=f"Recall's access-token: {_words(error)}",
    )


def _marked(credential: RecallCredential) -> Finding | None:
    if credential.status is not CredentialStatus.UNHEALTHY:
        return None
    return Finding(
        state=TokenState.UNHEALTHY_IN_RECALL,
        reason=(
            "Recall marked this credential unhealthy: the user removed the app, or "
            "tokens failed several times. Check now asks Recall to try it again; if "
            "that does not help, the user must reconnect."
        ),
        evidence="Recall's credential says unhealthy.",
    )


def _without_token(error: UpstreamError) -> Finding:
    if error.status == 404:  # noqa: PLR2004 - HTTP's own number
        return _without_credential(error)
    if _says(error, _WRONG_PAIR):
        return _unknown(
            "Zoom refused the app's client ID and secret as Recall holds them. No user "
            "has to act; an admin must mend the zoom app's credentials in Recall.",
            error,
        )
    if error.retryable:
        return _unknown(_no_users_fault(error), error)
    return _unknown(
        f"Recall did not hand out a token, so nothing could be tried at Zoom. {error}",
        error,
    )


def _with_token(seen: Seen, token: AccessToken, now: datetime) -> Finding:
    if isinstance(seen.user, UpstreamError):
        scopes_are_enough = seen.kind is Kind.ACCOUNT_LEVEL and _lacks_scopes(seen.user)
        if not scopes_are_enough:
            return _unknown(_no_users_fault(seen.user), seen.user)
        heard = "Zoom knows the token; it may not read a profile."
    elif seen.user is None:
        return _unknown("Zoom was not asked.", None)
    else:
        heard = "Zoom answered a real call with a token from Recall."
    if token.expires_at - now < RENEWED_BEFORE:
        left_s = int((token.expires_at - now).total_seconds())
        return Finding(
            state=TokenState.EXPIRING,
            reason=(
                "Recall hands out a token with less than 5 minutes left and has not "
                "renewed it. Nobody has to act yet; if it stays so, ask Recall."
            ),
            evidence=f"{heard} It had {max(left_s, 0)} s left.",
        )
    return Finding(
        state=TokenState.HEALTHY, reason="The token works at Zoom.", evidence=heard
    )


def _refused_by_zoom(seen: Seen, token: AccessToken, now: datetime) -> Finding | None:
    """Return what a refusal of the token itself means; None if it was not refused."""
    error = seen.user
    if not isinstance(error, UpstreamError):
        return None
    if _lacks_scopes(error):
        is_account = seen.kind is Kind.ACCOUNT_LEVEL
        return None if is_account else missing_scopes(error, seen.kind)
    if error.status not in (401, 404):
        return None
    if token.expires_at <= now:
        return Finding(
            state=TokenState.EXPIRING,
            reason=(
                "Recall hands out a token that has ended already. Nobody has to act "
                "yet; if it stays so, ask Recall."
            ),
            evidence=f"Zoom refused a real call: {_words(error)}",
        )
    return Finding(
        state=TokenState.RECONNECT_NEEDED,
        reason=(
            "Zoom refuses the token although it has not ended: the user removed the "
            "app or authorised it elsewhere. The user must reconnect."
        ),
        evidence=f"Zoom refused a real call: {_words(error)}",
    )


def _lacks_scopes(error: UpstreamError) -> bool:
    return error.code == _SCOPES_CODE


def _says(error: UpstreamError, pattern: re.Pattern[str]) -> bool:
    return bool(pattern.search(f"{error.code or ''} {error.detail or ''} {error}"))


def _unknown(reason: str, error: UpstreamError | None) -> Finding:
    return Finding(
        state=TokenState.UNKNOWN,
        reason=reason,
        evidence="" if error is None else f"{error.service}: {_words(error)}",
        wait_s=None if error is None else error.retry_after_s,
    )


def _no_users_fault(error: UpstreamError) -> str:
    if not error.retryable:
        return f"{error.service} could not say, and no user has to act. {error}"
    return (
        f"{error.service} could not say. This is nobody's fault here and needs no one: "
        "the next look comes by itself."
    )


def _words(error: UpstreamError) -> str:
    words = str(error)
    if error.detail and error.detail not in words:
        words = f"{words.rstrip('.')}: {error.detail}"
    return words[:250]
