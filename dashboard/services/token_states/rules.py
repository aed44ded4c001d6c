"""From what one look saw to a token state with its reason. Pure: asks nobody.

docs/token-states.md holds the table for people. Sources: docs/contracts/recall.md 1.6,
3.5 and 4, docs/contracts/zoom.md 3.3, 4.3 and 9; checked 2026-11-25.
"""

import re
from dataclasses import replace
from datetime import datetime, timedelta

from dashboard.clients.recall.replies import (
    AccessToken,
    CredentialStatus,
    RecallCredential,
)
from dashboard.errors import UpstreamError, words
from dashboard.models.connection import TokenState
from dashboard.models.zoom_app import Kind
from dashboard.services.token_states import who_acts
from dashboard.services.token_states.findings import Finding, Seen, unknown
from dashboard.services.token_states.scopes import lacks_scopes, missing_scopes

RENEWED_BEFORE = timedelta(minutes=5)
"""A token with less left should have been renewed by Recall already."""

_REFUSALS = range(400, 500)
_DEAD_GRANT = re.compile(r"invalid[_ ]grant|invalid token!", re.IGNORECASE)
_MENDED_BY_AN_ADMIN_S = 1800.0
_WRONG_PAIR = re.compile(r"invalid[_ ]client", re.IGNORECASE)


def judge(seen: Seen, *, now: datetime) -> Finding:
    """Return the state that follows from what was seen; never green unseen."""
    if seen.credential is None and not seen.is_brief:
        return Finding(
            state=TokenState.RECONNECT_NEEDED,
            reason="Recall holds no credential for this user. The user must reconnect.",
            evidence="The dashboard knows of no Recall credential.",
        )
    token = seen.token
    if isinstance(token, UpstreamError) and (dead := dead_grant(token)):
        return dead
    if isinstance(seen.credential, UpstreamError):
        return _without_credential(seen.credential)
    marked = _marked(seen.credential)
    if isinstance(token, UpstreamError):
        return marked or _without_token(token)
    if token is None:
        return unknown("Recall was not asked for a token.", None)
    return _refused_by_zoom(seen, token, now) or marked or _with_token(seen, token, now)


def blocking_error(seen: Seen, *, now: datetime) -> UpstreamError | None:
    """Return what kept a look from seeing anything; None if it saw something.

    A 429, Recall's, Zoom's or of our own budgets, an outage or a web page is nobody's
    and says nothing about the token: what was seen before stands, with its age.
    """
    if judge(seen, now=now).state is not TokenState.UNKNOWN:
        return None
    for answer in (seen.credential, seen.token, seen.user):
        if isinstance(answer, UpstreamError):
            return answer if tells_nothing(answer) else None
    return None


def tells_nothing(error: UpstreamError) -> bool:
    """Whether an answer is none about what was asked, so that it is asked again."""
    if error.status == 403:  # noqa: PLR2004 - HTTP's own number
        return error.code is None  # the firewall's page; the API's own has a code
    return error.retryable or error.status not in _REFUSALS


def _without_credential(error: UpstreamError) -> Finding:
    if error.status == 404:  # noqa: PLR2004 - HTTP's own number
        return Finding(
            state=TokenState.RECONNECT_NEEDED,
            reason="Recall no longer has this credential. The user must reconnect.",
            evidence="Recall answered 404 for the credential.",
        )
    return _admins(error) or unknown(nobodys(error), error)


def _admins(error: UpstreamError) -> Finding | None:
    """Return what an admin must mend at Recall; None when that is not it."""
    match error.status if error.service == "Recall" else None:
        case 401:
            cause, more = who_acts.KEY_REFUSED, "an admin must set the right key"
        case 402:
            cause, more = who_acts.NO_CREDIT, "an admin must top it up"
        case 403 if error.code is not None:
            cause, more = who_acts.NOT_ALLOWED, "an admin must check the key"
        case _:
            return None
    return unknown(f"{cause.begins} No user has to act; {more}.", error)


def dead_grant(error: UpstreamError) -> Finding | None:
    """Return that the user must reconnect if Zoom said so, to Recall or to us."""
    if tells_nothing(error) or not _says(error, _DEAD_GRANT):
        return None
    asked = "Recall's access-token" if error.service == "Recall" else "Zoom"
    return Finding(
        state=TokenState.RECONNECT_NEEDED,
        reason=(
            "Zoom no longer accepts this grant: the user removed the app, authorised "
            "it elsewhere, or left it unused for 90 days. The user must reconnect."
        ),
        evidence=f"{asked}: {words(error)}",
    )


def _marked(credential: RecallCredential | None) -> Finding | None:
    if credential is None or credential.status is not CredentialStatus.UNHEALTHY:
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
        holder = "as Recall holds them" if error.service == "Recall" else "stored here"
        refused = unknown(
            f"{who_acts.PAIR_REFUSED.begins}, {holder}. No user has to act; an admin "
            "must mend the zoom app's credentials.",
            error,
        )
        # Recall gives a credential up after repeated errors (docs/contracts/recall.md
        # 4).
        return replace(refused, wait_s=_MENDED_BY_AN_ADMIN_S)
    if (admins := _admins(error)) is not None:
        return admins
    if tells_nothing(error):
        return unknown(nobodys(error), error)
    return unknown(
        f"{who_acts.NO_TOKEN.begins}, so nothing could be tried at Zoom. {error}", error
    )


def _with_token(seen: Seen, token: AccessToken, now: datetime) -> Finding:
    if isinstance(seen.user, UpstreamError):
        scopes_are_enough = seen.kind is Kind.ACCOUNT_LEVEL and lacks_scopes(seen.user)
        if not scopes_are_enough and tells_nothing(seen.user):
            return unknown(nobodys(seen.user), seen.user)
        if not scopes_are_enough:
            return unknown(f"{who_acts.NO_ANSWER.begins}. {seen.user}", seen.user)
        heard = "Zoom knows the token; it may not read a profile."
    elif seen.user is None:
        return unknown("Zoom was not asked.", None)
    else:
        giver = "held here" if seen.is_held else "from Recall"
        heard = f"Zoom answered a real call with a token {giver}."
    if token.expires_at - now < RENEWED_BEFORE:
        left_s = int((token.expires_at - now).total_seconds())
        return Finding(
            state=TokenState.EXPIRING,
            reason=(
                f"{_giver(seen)} a token with less than 5 minutes left and has not "
                f"renewed it. Nobody has to act yet{_if_it_stays(seen)}."
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
    if lacks_scopes(error):
        is_account = seen.kind is Kind.ACCOUNT_LEVEL
        return None if is_account else missing_scopes(error, seen.kind)
    if error.status not in (401, 404):
        return None
    if token.expires_at <= now:
        return Finding(
            state=TokenState.EXPIRING,
            reason=(
                f"{_giver(seen)} a token that has ended already. Nobody has to act "
                f"yet{_if_it_stays(seen)}."
            ),
            evidence=f"Zoom refused a real call: {words(error)}",
        )
    return Finding(
        state=TokenState.RECONNECT_NEEDED,
        reason=(
            "Zoom refuses the token although it has not ended: the user removed the "
            "app or authorised it elsewhere. The user must reconnect."
        ),
        evidence=f"Zoom refused a real call: {words(error)}",
    )


def _giver(seen: Seen) -> str:
    return "The dashboard holds" if seen.is_held else "Recall hands out"


def _if_it_stays(seen: Seen) -> str:
    return "" if seen.is_held else "; if it stays so, ask Recall"


def _says(error: UpstreamError, pattern: re.Pattern[str]) -> bool:
    return bool(pattern.search(f"{error.code or ''} {error.detail or ''} {error}"))


def nobodys(error: UpstreamError) -> str:
    """Say that a vendor could not tell, which needs no one."""
    return (
        f"{error.service} could not say. This is nobody's fault here and needs no one: "
        "the next look comes by itself."
    )
