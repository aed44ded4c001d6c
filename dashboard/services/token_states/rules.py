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
from enum import StrEnum
from http import HTTPStatus

from dashboard.clients.http.error_words import (
    APP_DISABLED,
    SCOPES_MISSING,
    is_app_disabled,
)
from dashboard.clients.recall.replies import (
    AccessToken,
    CredentialStatus,
    Mapping,
    RecallCredential,
    Stretch,
)
from dashboard.clients.zoom.api import JoinToken, ZoomUser
from dashboard.clock import SKEW
from dashboard.errors import CUT, UpstreamError, words
from dashboard.models.connection import SETTLED, Connection, TokenCause, TokenState
from dashboard.models.zoom_app import Kind
from dashboard.services.facts.connections import DELETED_IN_RECALL, REFUSED_BY_ZOOM
from dashboard.services.zoom_apps import scopes
from dashboard.services.zoom_apps.scopes import AsksForScopes

RENEWED_BEFORE = timedelta(minutes=5)
"""A token with less time left should have been refreshed already."""

OWN_SERVER = "own_server"
"""Code of the error of a customer's own server that gave no token for Recall."""

_CLIENT_ERRORS = range(400, 500)
_DEAD_GRANT = re.compile(r"invalid[_ ]grant|invalid token!", re.IGNORECASE)
_MENDED_BY_AN_ADMIN_S = 1800.0
_NOT_ACTIVE = frozenset({"inactive", "pending"})
_CANT_RECONNECT = frozenset({"deactivated", "deleted"})
_INVALID_TOKEN = "124"  # noqa: S105 - Zoom's code, with 401 and with 400
_WRONG_PAIR = re.compile(r"invalid[_ ]client", re.IGNORECASE)


# A name before the mark of a cut may be half a name.
_SCOPE = re.compile(r"(?<![a-z_0-9:])[a-z_]+(?::[a-z_0-9]+)+(?![a-z_0-9:]|\s?…)")


CHECKED_EVERY = timedelta(minutes=5)
_TOKENS_LIVE_FOR = timedelta(hours=1)
_WEBHOOK = "Zoom's app_deauthorized webhook"


class Others(StrEnum):
    """What other users of the app get from Recall."""

    UNKNOWN = "unknown"
    WORK = "work"  # a token
    FAIL = "fail"  # no token either
    GIVEN = "given"  # whatever they get: Recall has the pair that Zoom accepts
    SETTLED = "settled"  # an earlier check saw one of the last two


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """The answers of one health check, each with the error that came instead.

    Attributes:
        kind: Of the zoom app: accounts need no scope to read a profile.
        credential: Recall's record; None when there is no credential, or it was not
            read.
        is_brief: It was not read, because a working token says enough.
        is_stored_here: The token is stored by the dashboard, or on the customer's own
            server.
        is_own_server: It is the latter.
        token: Read only when there is a credential.
        user: Zoom's answer to an API call; made only when there is a token.
        mappings: Recall's, newest first; None when they were not requested.
        join: A join token of a mapped meeting, or the error; None when it was not
            requested.
        others: What others of the app got, when this one got no token for a reason
            that is not known, or Recall gave it up.
        user_id: Whose token it should be, as far as it is known; not of accounts.
        became: What Zoom's last event of that kind says the user became.
        begun_at: When it was begun: what it read of a list may be as old as that.
    """

    kind: Kind = Kind.USER_LEVEL
    credential: RecallCredential | UpstreamError | None = None
    is_brief: bool = False
    is_stored_here: bool = False
    is_own_server: bool = False
    token: AccessToken | UpstreamError | None = None
    user: ZoomUser | UpstreamError | None = None
    mappings: Stretch[Mapping] | UpstreamError | None = None
    join: JoinToken | UpstreamError | None = None
    others: Others = Others.UNKNOWN
    user_id: str | None = None
    became: str = ""
    begun_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A token state with its reason and its evidence.

    Attributes:
        reason: One or two sentences: what is wrong and who must act.
        evidence: What was asked and what was answered.
        wait_s: How long an answer asked us to wait, in seconds.
        cause: What an admin must fix, if that is the reason.
    """

    state: TokenState
    reason: str
    evidence: str
    wait_s: float | None = None
    cause: TokenCause = TokenCause.NONE


def judge(seen: CheckResult, *, now: datetime) -> Finding:
    """Return the state that follows from a check; healthy only if that was seen."""
    finding = _judge(seen, now)
    return _about_user(seen) or _about_leaver(seen, finding) or finding


def _about_user(seen: CheckResult) -> Finding | None:
    """Return what Zoom says of the token's owner that no bot can record with."""
    user = seen.user
    if not isinstance(user, ZoomUser) or seen.kind is Kind.ACCOUNT_LEVEL:
        return None
    if user.status.lower() in _NOT_ACTIVE:
        return Finding(
            state=TokenState.UNKNOWN,
            reason=f"Zoom says that this user is {user.status.lower()}, so bots can't "
            "record in their meetings. The user can't change that; the admin of their "
            "Zoom account can.",
            evidence=f"Zoom answered an API call: the user's status is {user.status}.",
            cause=TokenCause.INACTIVE,
            wait_s=_MENDED_BY_AN_ADMIN_S,
        )
    if seen.user_id is not None and user.id != seen.user_id:
        return Finding(
            state=TokenState.UNKNOWN,
            reason="The token is another Zoom user's than this connection's. Nothing "
            "of that user was stored. No user has to act; an admin must look.",
            evidence=f"Zoom answered an API call as user {user.id}; this connection is "
            f"of {seen.user_id}.",
            cause=TokenCause.OTHER_USER,
            wait_s=_MENDED_BY_AN_ADMIN_S,
        )
    return None


def _about_leaver(seen: CheckResult, finding: Finding) -> Finding | None:
    """Return that a user can't reconnect, if Zoom said why before the token ended."""
    if seen.became not in _CANT_RECONNECT or finding.state not in SETTLED:
        return None
    return Finding(
        state=TokenState.UNKNOWN,
        reason=f"Zoom reported that the user was {seen.became}, and the token no "
        "longer works. The user can't reconnect; the admin of their Zoom account can "
        "change that.",
        evidence=finding.evidence,
        cause=TokenCause.INACTIVE,
        wait_s=_MENDED_BY_AN_ADMIN_S,
    )


def _judge(seen: CheckResult, now: datetime) -> Finding:
    if seen.credential is None and not seen.is_brief:
        return Finding(
            state=TokenState.RECONNECT_NEEDED,
            reason="Recall has no credential for this user. The user must reconnect.",
            evidence="No Recall credential is stored here.",
        )
    token = seen.token
    if isinstance(token, UpstreamError) and (
        certain := _switched_off(token) or dead_grant(token)
    ):
        return certain
    if isinstance(seen.credential, UpstreamError):
        return _without_credential(seen.credential)
    marked = _marked(seen.credential, seen.others)
    if isinstance(token, UpstreamError):
        return _wrong_pair(token) or marked or _without_token(token, seen.others)
    if token is None:
        return unknown("Recall was not asked for a token.", None)
    return _refused_by_zoom(seen, token, now) or marked or _with_token(seen, token, now)


def blocking_error(seen: CheckResult, *, now: datetime) -> UpstreamError | None:
    """Return the error that kept a check from a result; None if it has one.

    A 429 (from Recall, Zoom or our own rate limits), an outage or a firewall's page
    says nothing about the token: the last state stays, with its age.
    """
    if judge(seen, now=now).state is not TokenState.UNKNOWN:
        return None
    for answer in (seen.credential, seen.token, seen.user):
        if isinstance(answer, UpstreamError):
            return answer if tells_nothing(answer) else None
    return None


def end_of(token: AccessToken, *, now: datetime) -> datetime:
    """Return until when a token that works may be taken to work.

    Zoom's tokens live an hour (docs/contracts/zoom.md 3.5). One that seems to end later
    means that this server's clock is behind. Then half an hour counts: less than any
    new token has, so that nobody concludes from its end that it is one.
    """
    if token.expires_at <= now + _TOKENS_LIVE_FOR + SKEW:
        return token.expires_at
    return now + _TOKENS_LIVE_FOR / 2


def tells_nothing(error: UpstreamError) -> bool:
    """Whether an error says nothing about the thing asked, so that we ask again."""
    if error.is_page:
        return True
    if error.status == HTTPStatus.FORBIDDEN:
        return error.code is None  # a firewall's page; the API's own 403 has a code
    return error.retryable or error.status not in _CLIENT_ERRORS


def _without_credential(error: UpstreamError) -> Finding:
    if error.own_status == HTTPStatus.NOT_FOUND:
        return Finding(
            state=TokenState.RECONNECT_NEEDED,
            reason="Recall no longer has this credential. The user must reconnect.",
            evidence=DELETED_IN_RECALL,
        )
    return _admins(error) or unknown(nobodys(error), error)


def _admins(error: UpstreamError) -> Finding | None:
    """Return what an admin must fix at Recall; None if it is something else."""
    match error.own_status if error.service == "Recall" else None:
        case HTTPStatus.UNAUTHORIZED:
            cause = TokenCause.KEY_REFUSED
            reason = (
                "Recall refused the workspace's API key. No user has to act; an admin "
                "must enter a valid key."
            )
        case HTTPStatus.PAYMENT_REQUIRED:
            cause = TokenCause.NO_CREDIT
            reason = (
                "The workspace is out of credit at Recall. No user has to act; an "
                "admin must add credit."
            )
        case HTTPStatus.FORBIDDEN if error.code is not None:
            cause = TokenCause.NOT_ALLOWED
            reason = (
                "Recall does not let this API key read the credential. No user has to "
                "act; an admin must check the key."
            )
        case _:
            return None
    return unknown(reason, error, cause)


def _own_server(error: UpstreamError) -> Finding | None:
    """Return what an admin must fix on the customer's own token server, if it is."""
    if error.code != OWN_SERVER:
        return None
    return unknown(f"{error} No user has to act.", error, TokenCause.OWN_SERVER)


def dead_grant(error: UpstreamError) -> Finding | None:
    """Return that the user must reconnect, if Zoom said so to Recall or to us."""
    if tells_nothing(error) or not _says(error, _DEAD_GRANT):
        return None
    if _switched_off(error) is not None:
        return None
    asked = "Recall's access-token" if error.service == "Recall" else "Zoom"
    return Finding(
        state=TokenState.RECONNECT_NEEDED,
        reason=(
            f"{REFUSED_BY_ZOOM}: the user removed the app, authorized it elsewhere, or "
            "didn't use it for 90 days. The user must reconnect."
        ),
        evidence=f"{asked}: {words(error)}",
    )


def _switched_off(error: UpstreamError) -> Finding | None:
    """Return that the app is not activated in Zoom, if Zoom said so to anyone."""
    is_known = error.code == APP_DISABLED or is_app_disabled(_words(error))
    if tells_nothing(error) or not is_known:
        return None
    finding = unknown(
        "Zoom has switched this app off. No user has to act; an admin must activate it "
        "in Zoom's Marketplace.",
        error,
        TokenCause.APP_DISABLED,
    )
    # Recall gives a credential up after repeated errors (docs/contracts/recall.md 4).
    return replace(finding, wait_s=_MENDED_BY_AN_ADMIN_S)


_NOT_THE_APP = {
    Others.WORK: "though it does for others of the app.",
    Others.GIVEN: "though it was given the client secret that Zoom accepts.",
    Others.SETTLED: "and the app is not the reason.",
}


def _marked(credential: RecallCredential | None, others: Others) -> Finding | None:
    if credential is None or credential.status is not CredentialStatus.UNHEALTHY:
        return None
    finding = Finding(
        state=TokenState.UNHEALTHY_IN_RECALL,
        reason=(
            "Recall marked this credential unhealthy: the user removed the app, or "
            "tokens failed several times. Press Check now to have Recall try again: "
            "the answer shows who must act."
        ),
        evidence="Recall's credential status is unhealthy.",
    )
    if others not in _NOT_THE_APP:
        return finding
    return replace(
        finding,
        reason="Recall marked this credential unhealthy and tried it again: it gets no "
        f"token for this user, {_NOT_THE_APP[others]} The user must reconnect.",
        cause=TokenCause.NOT_THE_APP,
    )


def _wrong_pair(error: UpstreamError) -> Finding | None:
    """Return that the app's pair is wrong, if Zoom said so to Recall or to us."""
    if error.own_status == HTTPStatus.NOT_FOUND or not _says(error, _WRONG_PAIR):
        return None
    holder = "as stored in Recall" if error.service == "Recall" else "stored here"
    refused = unknown(
        f"Zoom refused the app's client ID and secret, {holder}. No user has to act; "
        "an admin must fix the Zoom app's credentials.",
        error,
        TokenCause.PAIR_REFUSED,
    )
    # Recall gives a credential up after repeated errors (docs/contracts/recall.md 4).
    return replace(refused, wait_s=_MENDED_BY_AN_ADMIN_S)


def _without_token(error: UpstreamError, others: Others) -> Finding:
    if error.own_status == HTTPStatus.NOT_FOUND:
        return _without_credential(error)
    if (admins := _admins(error) or _own_server(error)) is not None:
        return admins
    if tells_nothing(error):
        return unknown(nobodys(error), error)
    if others in _NOT_THE_APP:
        return Finding(
            state=TokenState.RECONNECT_NEEDED,
            reason=f"Recall gets no token for this user, {_NOT_THE_APP[others]} The "
            "user may have removed the app, authorized it elsewhere, or not used it "
            "for 90 days. The user must reconnect.",
            evidence=f"Recall's access-token: {words(error)}",
            cause=TokenCause.NOT_THE_APP,
        )
    said = "Recall did not hand out a token, so nothing could be tested at Zoom."
    cause = TokenCause.NO_TOKEN
    if error.service == "Zoom":  # the token is stored here: Recall was not asked
        said, cause = "Zoom refused to renew the token.", TokenCause.NO_ANSWER
    return unknown(f"{said} {error}", error, cause)


def _with_token(seen: CheckResult, token: AccessToken, now: datetime) -> Finding:
    if isinstance(seen.user, UpstreamError):
        scopes_are_enough = seen.kind is Kind.ACCOUNT_LEVEL and lacks_scopes(seen.user)
        if not scopes_are_enough and tells_nothing(seen.user):
            return unknown(nobodys(seen.user), seen.user)
        if not scopes_are_enough:
            return unknown(
                f"Zoom rejected an API call for another reason. {seen.user}",
                seen.user,
                TokenCause.NO_ANSWER,
            )
        heard = "Zoom accepts the token, which may not read a profile."
    elif seen.user is None:
        return unknown("Zoom was not asked.", None)
    else:
        heard = f"Zoom answered an API call with a token {_place(seen)}."
    if token.expires_at - now < RENEWED_BEFORE:
        left_s = int((token.expires_at - now).total_seconds())
        return Finding(
            state=TokenState.EXPIRING,
            reason=(
                f"The token {_place(seen)} expires in less than 5 minutes and has not "
                f"been refreshed. No action needed yet{_if_it_stays(seen)}."
            ),
            evidence=f"{heard} It had {max(left_s, 0)} s left.",
        )
    return Finding(
        state=TokenState.HEALTHY, reason="The token works at Zoom.", evidence=heard
    )


def _refused_by_zoom(
    seen: CheckResult, token: AccessToken, now: datetime
) -> Finding | None:
    """Return what it means that Zoom rejected the token; None if it did not."""
    error = seen.user
    if not isinstance(error, UpstreamError):
        return None
    if lacks_scopes(error):
        is_account = seen.kind is Kind.ACCOUNT_LEVEL
        return None if is_account else missing_scopes(error, seen.kind)
    is_rejected = error.own_status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND)
    if not is_rejected and error.code != _INVALID_TOKEN:
        return None
    if token.expires_at <= now:
        return Finding(
            state=TokenState.EXPIRING,
            reason=(
                f"The token {_place(seen)} has expired. No action needed "
                f"yet{_if_it_stays(seen)}."
            ),
            evidence=f"Zoom rejected an API call: {words(error)}",
        )
    return Finding(
        state=TokenState.RECONNECT_NEEDED,
        reason=(
            "Zoom rejects the token although it has not expired: the user removed the "
            "app or authorized it elsewhere. The user must reconnect."
        ),
        evidence=f"Zoom rejected an API call: {words(error)}",
    )


def _place(seen: CheckResult) -> str:
    if seen.is_own_server:
        return "from your token server"
    return "stored here" if seen.is_stored_here else "from Recall"


def _if_it_stays(seen: CheckResult) -> str:
    return "" if seen.is_stored_here else "; if this continues, ask Recall"


def _says(error: UpstreamError, pattern: re.Pattern[str]) -> bool:
    return bool(pattern.search(f"{_words(error)} {error}"))


def _words(error: UpstreamError) -> str:
    return f"{error.code or ''} {error.detail or ''}"


def says_wrong_pair(error: UpstreamError) -> bool:
    """Whether a vendor says that client ID and client secret don't belong together."""
    return error.code == "invalid_client" or _says(error, _WRONG_PAIR)


def nobodys(error: UpstreamError) -> str:
    """Say that a vendor gave no answer, which is nobody's fault."""
    return f"{error.service} gave no answer about this user."


def unknown(
    reason: str, error: UpstreamError | None, cause: TokenCause = TokenCause.NONE
) -> Finding:
    """Return that the state is unknown, with the reason and the error."""
    return Finding(
        state=TokenState.UNKNOWN,
        reason=reason,
        evidence="" if error is None else f"{error.service}: {words(error)[:250]}",
        wait_s=None if error is None else error.retry_after_s,
        cause=cause,
    )


def lacking(granted: str, app: AsksForScopes) -> Finding | None:
    """Return which required scopes a grant lacks, if its scopes are known; or None.

    Args:
        granted: Scope names, space separated.
        app: Whose required scopes they are compared with.
    """
    missing = scopes.missing(frozenset(granted.split()), app)
    if not missing:
        return None
    return _lacks(", ".join(missing), "Zoom listed the granted scopes with the tokens.")


def scopes_in(text: str | None) -> Sequence[str]:
    """Return the scope names in a sentence from Zoom, sorted, each once."""
    return sorted(set(_SCOPE.findall(text or "")))


def missing_scopes(error: UpstreamError, kind: Kind) -> Finding | None:
    """Return which scopes an error says are missing, as the kind of app names them.

    None when the error has another reason.
    """
    if not lacks_scopes(error):
        return None
    names = scopes_in(words(error))
    is_account = kind is Kind.ACCOUNT_LEVEL
    own = [name for name in names if (":admin" in name) is is_account]
    evidence = f"Zoom rejected an API call: {words(error)}"
    if not names:
        reason = (
            "A scope is missing, and Zoom didn't say which. An admin compares the "
            "scopes in Zoom Marketplace with the list in step 1; then the user "
            "reconnects and keeps all of them selected."
        )
        return Finding(
            state=TokenState.MISSING_SCOPES, reason=reason, evidence=evidence
        )
    listed = ", ".join(own or names)
    if CUT in words(error):
        listed += ", and perhaps more: Zoom's list was too long to read whole"
    return _lacks(listed, evidence)


def _lacks(listed: str, evidence: str) -> Finding:
    return Finding(
        state=TokenState.MISSING_SCOPES,
        reason=(
            f"Missing scope: {listed}. Add it in Zoom Marketplace if needed, then ask "
            "the user to reconnect and keep it selected."
        ),
        evidence=evidence,
    )


def lacks_scopes(error: UpstreamError) -> bool:
    """Whether Zoom rejected a call because a scope is missing."""
    return error.code == SCOPES_MISSING


def mark(row: Connection, *, removed_at: datetime, now: datetime) -> bool:
    """Record that Zoom reported a removal and make a check due; whether it was new.

    A running check saw the grant before this, so its result is dropped. The caller
    commits.

    Args:
        row: The user's connection, locked where there are several workers.
        removed_at: When the user removed the app, by Zoom's clock.
        now: Aware.
    """
    if removed_at <= row.granted_at:
        return False  # an earlier grant
    if row.deauthorized_at is not None and removed_at <= row.deauthorized_at:
        return False
    row.deauthorized_at = removed_at
    if row.token_state not in SETTLED:
        row.note_state(
            TokenState.UNKNOWN,
            f"{_said(removed_at)} We are checking it now.",
            evidence=f"{_WEBHOOK}; signature valid.",
            at=now,
        )
    row.due_at, row.lease_until = now, None
    row.claim += 1
    return True


def combine(row: Connection, finding: Finding, *, now: datetime) -> Finding:
    """Return a check's finding combined with a removal that Zoom reported, if any.

    Clears the mark once it is disproved: tokens from before the removal have expired,
    and yet one works.
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
        f"Zoom reported that the user removed the app at {_instant(removed_at)}; "
        "not confirmed yet."
    )


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
