"""The rules that turn a health check's answers into a token state. Pure.

docs/token-states.md shows them as a table. A webhook about a removed app changes no
state to reconnect needed on its own: Recall's record and a real API call must confirm
it. Sources: docs/contracts/recall.md 1.6, 3.5 and 4, docs/contracts/zoom.md 3.3, 3.5,
4.3, 6 and 9; checked 2026-11-25.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus

from dashboard.clients.recall.replies import (
    AccessToken,
    CredentialStatus,
    Mapping,
    RecallCredential,
)
from dashboard.clients.zoom.api import JoinToken, ZoomUser
from dashboard.errors import UpstreamError, words
from dashboard.models.connection import SETTLED, Connection, TokenState
from dashboard.models.zoom_app import Kind, ScopeStyle
from dashboard.services.token_states import who_acts
from dashboard.services.token_states.who_acts import Who
from dashboard.services.zoom_apps import scopes

RENEWED_BEFORE = timedelta(minutes=5)
"""A token with less left should have been renewed by Recall already."""

_CLIENT_ERRORS = range(400, 500)
_DEAD_GRANT = re.compile(r"invalid[_ ]grant|invalid token!", re.IGNORECASE)
_MENDED_BY_AN_ADMIN_S = 1800.0
_WRONG_PAIR = re.compile(r"invalid[_ ]client", re.IGNORECASE)


_CODE = "4711"
_SCOPE = re.compile(r"[a-z_]+(?::[a-z_0-9]+)+")


CHECKED_EVERY = timedelta(minutes=5)
_TOKENS_LIVE_FOR = timedelta(hours=1)
_WEBHOOK = "Zoom's app_deauthorized webhook"


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """What each question of one health check returned, or the error that came instead.

    Attributes:
        kind: Whose grant it is: accounts need no scope to read a profile.
        credential: Recall's record; None when the dashboard knows no credential, or
            has not asked for it.
        is_brief: It was not asked for: the token works, which is enough.
        is_held: The token is one that the dashboard stores itself.
        token: Asked only when there is a credential.
        user: Zoom's answer to a real call; asked only when there is a token.
        mappings: Recall's, newest first; None when they could not be read, or were not
            asked for.
        join: A join token of a mapped meeting, or why there was none; None when it was
            not asked for.
    """

    kind: Kind = Kind.USER_LEVEL
    credential: RecallCredential | UpstreamError | None = None
    is_brief: bool = False
    is_held: bool = False
    token: AccessToken | UpstreamError | None = None
    user: ZoomUser | UpstreamError | None = None
    mappings: Sequence[Mapping] | None = None
    join: JoinToken | UpstreamError | None = None


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


def judge(seen: CheckResult, *, now: datetime) -> Finding:
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


def blocking_error(seen: CheckResult, *, now: datetime) -> UpstreamError | None:
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
    if error.status == HTTPStatus.FORBIDDEN:
        return error.code is None  # the firewall's page; the API's own has a code
    return error.retryable or error.status not in _CLIENT_ERRORS


def _without_credential(error: UpstreamError) -> Finding:
    if error.status == HTTPStatus.NOT_FOUND:
        return Finding(
            state=TokenState.RECONNECT_NEEDED,
            reason="Recall no longer has this credential. The user must reconnect.",
            evidence="Recall answered 404 for the credential.",
        )
    return _admins(error) or unknown(nobodys(error), error)


def _admins(error: UpstreamError) -> Finding | None:
    """Return what an admin must mend at Recall; None when that is not it."""
    match error.status if error.service == "Recall" else None:
        case HTTPStatus.UNAUTHORIZED:
            cause, more = who_acts.KEY_REFUSED, "an admin must set the right key"
        case HTTPStatus.PAYMENT_REQUIRED:
            cause, more = who_acts.NO_CREDIT, "an admin must top it up"
        case HTTPStatus.FORBIDDEN if error.code is not None:
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
    if error.status == HTTPStatus.NOT_FOUND:
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


def _with_token(seen: CheckResult, token: AccessToken, now: datetime) -> Finding:
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


def _refused_by_zoom(
    seen: CheckResult, token: AccessToken, now: datetime
) -> Finding | None:
    """Return what a refusal of the token itself means; None if it was not refused."""
    error = seen.user
    if not isinstance(error, UpstreamError):
        return None
    if lacks_scopes(error):
        is_account = seen.kind is Kind.ACCOUNT_LEVEL
        return None if is_account else missing_scopes(error, seen.kind)
    if error.status not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND):
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


def _giver(seen: CheckResult) -> str:
    return "The dashboard holds" if seen.is_held else "Recall hands out"


def _if_it_stays(seen: CheckResult) -> str:
    return "" if seen.is_held else "; if it stays so, ask Recall"


def _says(error: UpstreamError, pattern: re.Pattern[str]) -> bool:
    return bool(pattern.search(f"{error.code or ''} {error.detail or ''} {error}"))


def nobodys(error: UpstreamError) -> str:
    """Say that a vendor could not tell, which needs no one."""
    return (
        f"{error.service} could not say. This is nobody's fault here and needs no one: "
        "the next look comes by itself."
    )


def unknown(reason: str, error: UpstreamError | None) -> Finding:
    """Return that nothing was seen, with why and what came instead."""
    return Finding(
        state=TokenState.UNKNOWN,
        reason=reason,
        evidence="" if error is None else f"{error.service}: {words(error)[:250]}",
        wait_s=None if error is None else error.retry_after_s,
    )


def lacking(granted: str, kind: Kind, style: ScopeStyle) -> Finding | None:
    """Return what is missing of the scopes a grant is known to have; None if nothing.

    Args:
        granted: Scope names, space separated.
        kind: Of the zoom app.
        style: Of the zoom app: in whose names what is required is told.
    """
    missing = scopes.missing(frozenset(granted.split()), kind, style)
    if not missing:
        return None
    return _lacks(
        ", ".join(missing), "Zoom told the granted scopes with the tokens it gave."
    )


def scopes_in(text: str | None) -> Sequence[str]:
    """Return the scope names in a sentence of Zoom's, sorted, each once."""
    return sorted(set(_SCOPE.findall(text or "")))


def missing_scopes(error: UpstreamError, kind: Kind) -> Finding | None:
    """Return what a refusal says of scopes, as the kind of app names them.

    None when it was refused for another reason.
    """
    if not lacks_scopes(error):
        return None
    names = scopes_in(words(error))
    is_account = kind is Kind.ACCOUNT_LEVEL
    own = [name for name in names if (":admin" in name) is is_account]
    listed = ", ".join(own or names) or "a scope it needs"
    return _lacks(listed, f"Zoom refused a real call: {words(error)}")


def _lacks(listed: str, evidence: str) -> Finding:
    return Finding(
        state=TokenState.MISSING_SCOPES,
        reason=(
            f"The grant lacks {listed}. Add it to the app in Zoom's Marketplace "
            "if it is not there, then let the user reconnect and leave it ticked."
        ),
        evidence=evidence,
    )


def lacks_scopes(error: UpstreamError) -> bool:
    """Whether Zoom refused for want of a scope."""
    return error.code == _CODE


def mark(row: Connection, *, removed_at: datetime, now: datetime) -> bool:
    """Note that Zoom said so, to be looked at at once; tell whether it was news.

    A look under way saw the grant before this and will change nothing. The caller
    commits.

    Args:
        row: Of that user; locked where there are several workers.
        removed_at: When the user removed the app, by Zoom's clock.
        now: Aware.
    """
    if removed_at <= row.granted_at:
        return False  # of a grant before this one
    if row.deauthorized_at is not None and removed_at <= row.deauthorized_at:
        return False
    row.deauthorized_at = removed_at
    if row.token_state not in SETTLED:
        row.token_state = TokenState.UNKNOWN
        row.token_reason = f"{_said(removed_at)} This is being checked now."
        row.token_evidence = f"{_WEBHOOK}, rightly signed."
    row.due_at, row.lease_until = now, None
    row.claim += 1
    return True


def combine(row: Connection, finding: Finding, *, now: datetime) -> Finding:
    """Return what a look found together with Zoom's word, if there is one.

    Takes the mark away once it is disproved: any token of before the removal has ended
    by then, and yet one works.
    """
    removed_at = row.deauthorized_at
    if removed_at is None:
        return finding
    if finding.state in SETTLED:
        seen = finding.evidence.rstrip(".")
        return replace(
            finding,
            state=TokenState.RECONNECT_NEEDED,
            reason=f"The user removed the app in Zoom at {_instant(removed_at)}; "
            f"{seen}. The user must reconnect.",
            evidence=f"{_WEBHOOK}, and: {finding.evidence}",
        )
    if finding.state is TokenState.HEALTHY and now >= removed_at + _TOKENS_LIVE_FOR:
        row.deauthorized_at = None
        return finding
    return replace(finding, reason=f"{finding.reason} {_said(removed_at)}")


def _said(removed_at: datetime) -> str:
    return (
        f"Zoom says that the user removed the app at {_instant(removed_at)}; "
        "nothing bears that out yet."
    )


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
