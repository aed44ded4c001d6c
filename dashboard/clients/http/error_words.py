"""What an error of Zoom or Recall means: what happened, and who can act.

Sources: docs/contracts/recall.md 1.6 and 1.7, docs/contracts/zoom.md 3.3, 4.3 and 4.4;
checked 2026-11-23.
"""

import re
from dataclasses import dataclass
from http import HTTPStatus

from dashboard.clients.http.error_bodies import Refusal
from dashboard.formatting import duration_words

# The sentence is the common sign: it comes with three codes, and with or without a list
# (docs/contracts/zoom.md 4.3, checked 2026-11-29).
_SCOPES = re.compile(
    r"does not contain scopes?\b(?:\s{0,9}:?\s{0,9}\[([^\]]{0,600})\]?)?",
    re.IGNORECASE,
)
_RECALL = {
    400: (
        "Recall rejected the request, and nothing was changed. An admin can fix it "
        "using the reason Recall gave."
    ),
    401: (
        "Recall does not know this API key in {host}. Keys work in one region only: "
        "an admin has to check the workspace's region and key. Nothing was "
        "changed."
    ),
    402: (
        "The Recall workspace is out of credit. Nothing was changed. Add credit in "
        "Recall's dashboard."
    ),
    403: (
        "Recall doesn't allow this API key to do that. Nothing was changed. An admin "
        "has to save a key with that permission in the workspace."
    ),
    404: (
        "Recall does not have this in {host}: it was deleted there, or it belongs to "
        "another region or workspace. Nothing was changed."
    ),
    405: "Recall does not allow this here. Nothing was changed.",
    408: "The request reached Recall too slowly. It is safe to try again.",
    409: (
        "Recall is still processing an earlier request like this one. Check its result "
        "before trying again."
    ),
}
SCOPES_MISSING = "4711"
"""Code of Zoom's error about missing scopes, under whichever number it came."""

APP_DISABLED = "app_disabled"
"""Code of a refusal because the app itself is switched off in Zoom's Marketplace."""

CLIENT_REFUSED = "client_refused"
"""Code of `invalid_client` with words that name no wrong client ID or secret."""

_APP_IS_OFF = re.compile(
    r"\b(?:app|application|client)\b[^.;:\n]{0,60}"
    r"\b(?:disabled|deactivated|suspended|inactive|not (?:yet )?(?:active|activated|"
    r"enabled|published))\b",
    re.IGNORECASE,
)
_APP_IS_OFF_CODE = "4717"
# What Zoom says of a pair that is wrong; without a word it is the usual reason
# (docs/contracts/zoom.md 3.3).
_PAIR_IS_WRONG = re.compile(
    r"client[ _]?(?:id|secret)|\binvalid[ _]client\b|credential", re.IGNORECASE
)
_ENDED_CODES = frozenset({"4735", "4741"})  # the owner is gone; revoked
# Of a refresh token (docs/contracts/zoom.md 3.3); an access token is not asked about.
_HAS_ENDED = re.compile(
    r"\btoken (?:has been|is|was) (?:revoked|expired)\b"
    r"|\brefresh[ _]token (?:(?:is|has) )?(?:expired|revoked)\b",
    re.IGNORECASE,
)
_OTHER = "Recall rejected the request with HTTP status {status}. Nothing was changed."
_REDIRECTS = range(300, 400)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A refusal as it came.

    Attributes:
        host: Who answered, with its port.
        names_local: Whether localhost or an IP address was in what was sent.
        wait_s: What it asked us to wait, in seconds.
        settle: What is safe to assume if the vendor failed.
        is_for_token: Whether a token was asked for: no access token was sent then.
    """

    status: int
    refusal: Refusal
    host: str
    wait_s: float | None
    settle: str
    names_local: bool = False
    is_for_token: bool = False


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A refusal in words; `code` and `detail` as in `UpstreamError`."""

    sentence: str
    code: str | None
    detail: str | None


def about_status(service: str, answer: Answer) -> Explained:
    """Return what an answer outside 2xx means. The sentence holds no vendor text."""
    if answer.status in _REDIRECTS:
        sentence = (
            f"{service} answered with a redirect, which is not followed. The address "
            f"{answer.host} is probably not the right one."
        )
        return _words(sentence, answer.refusal)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return _words(_too_many(service, answer.wait_s), answer.refusal)
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _words(_failed(service, answer), answer.refusal)
    if service == "Zoom":
        return _by_zoom(answer)
    return _words(_by_recall(answer), answer.refusal)


def _by_recall(answer: Answer) -> str:
    if answer.refusal.conflicting_id is not None:
        return (
            "Recall already has a credential for this Zoom user or account. Nothing "
            "was changed; the code that was sent may be used up."
        )
    if answer.refusal.is_page and answer.status != HTTPStatus.FORBIDDEN:
        return (
            f"A web page came with HTTP status {answer.status} where Recall's API was "
            f"expected. An admin has to check that {answer.host} is the right address."
        )
    if answer.refusal.is_page:
        return _by_firewall(answer)
    sentence = _RECALL.get(answer.status, _OTHER)
    return sentence.format(host=answer.host, status=answer.status)


def _by_firewall(answer: Answer) -> str:
    """Say which of the causes that Recall names it may be.

    A GET with a body, another one, is never sent here.
    Source: docs/contracts/recall.md 1.6.
    """
    if answer.names_local:
        return (
            "Recall's firewall blocked the request: localhost or an IP address is in "
            "it, most likely from DASHBOARD_PUBLIC_URL. An admin has to set a public "
            "host name there. Nothing was changed."
        )
    return (
        "Recall's firewall blocked the request, though neither localhost nor an IP "
        "address is in it. It also blocks callers whose own address it distrusts: an "
        "admin has to ask Recall's support to allow this server. Nothing was changed."
    )


def is_app_disabled(text: str) -> bool:
    """Whether a vendor's words say that the app is switched off in Zoom."""
    return _APP_IS_OFF.search(text) is not None


def _about_client(answer: Answer) -> Explained | None:
    """Return what Zoom says about the app itself; None if it is about something else.

    One code has several meanings, and only the words tell them apart
    (docs/contracts/zoom.md 3.3).
    """
    refusal = answer.refusal
    detail = refusal.detail or ""
    is_client = refusal.code in {"invalid_client", "4702", "4704"}
    is_off = refusal.code == _APP_IS_OFF_CODE or (
        (is_client or answer.is_for_token) and is_app_disabled(detail)
    )
    if is_off:
        sentence = (
            "Zoom has this app switched off. An admin activates it in Zoom's "
            "Marketplace; until then Zoom accepts no client ID and secret of it, and "
            "no user has to connect again for that."
        )
        return Explained(sentence=sentence, code=APP_DISABLED, detail=refusal.detail)
    if is_client and detail and not _PAIR_IS_WRONG.search(detail):
        sentence = (
            "Zoom refused this client ID and client secret for another reason than a "
            "wrong value. No user has to connect again for that."
        )
        return Explained(sentence=sentence, code=CLIENT_REFUSED, detail=refusal.detail)
    if is_client:
        sentence = (
            "Zoom does not know this pair of client ID and client secret. An admin has "
            "to correct them; no user has to connect again for that."
        )
        return Explained(
            sentence=sentence, code="invalid_client", detail=refusal.detail
        )
    return None


def _by_zoom(answer: Answer) -> Explained:
    refusal, status = answer.refusal, answer.status
    detail = refusal.detail or ""
    about_client = _about_client(answer)
    if about_client is not None:
        return about_client
    lacking = _SCOPES.search(detail)
    if lacking or (refusal.code == SCOPES_MISSING and not answer.is_for_token):
        named = f"missing scopes: {lacking[1]}" if lacking and lacking[1] else detail
        return Explained(
            sentence=(
                "This Zoom token lacks a scope. An admin has to add it to the app in "
                "Zoom's Marketplace, and then the user has to connect again."
            ),
            code=SCOPES_MISSING,
            detail=named or None,
        )
    has_ended = refusal.code in _ENDED_CODES or _HAS_ENDED.search(detail)
    is_invalid = refusal.code == "invalid_grant" or "invalid token!" in detail.lower()
    if is_invalid or (answer.is_for_token and has_ended):
        sentence = (
            "Zoom no longer accepts this authorization: its code or token was used, "
            "replaced, revoked or is too old. The user has to connect again."
        )
        return Explained(sentence=sentence, code="invalid_grant", detail=refusal.detail)
    match status:
        case 400 | 401 if answer.is_for_token and not refusal.is_page:
            sentence = (
                "Zoom gave the app no token, for a reason that names neither its "
                "client ID and secret nor the user's authorization. An admin can act "
                "on the reason Zoom gave."
            )
        case 401:
            sentence = (
                "Zoom does not accept this access token: it has expired or was revoked."
            )
        case 404:
            sentence = "Zoom does not have this, or not for this token."
        case _ if refusal.is_page:
            sentence = (
                f"Zoom answered with a web page and HTTP status {status}: something in "
                "front of it blocked the request. Nothing was changed."
            )
        case _:
            sentence = (
                f"Zoom rejected the request with HTTP status {status}. Nothing was "
                "changed."
            )
    return _words(sentence, refusal)


def _too_many(service: str, wait_s: float | None) -> str:
    is_recall = service == "Recall"
    limit = " (calls per minute and workspace)" if is_recall else ""
    unasked = "in a minute" if is_recall else "in a while"
    wait = unasked if wait_s is None else f"in {duration_words(wait_s)}"
    return (
        f"{service}'s rate limit{limit} was reached, so nothing was done. It is safe "
        f"to try again {wait}."
    )


def _failed(service: str, answer: Answer) -> str:
    if answer.status == HTTPStatus.INSUFFICIENT_STORAGE:
        return f"{service} has no bot free. It is safe to try again with a new key."
    return (
        f"{service} failed on its side (HTTP status {answer.status}), and only "
        f"{service} can fix that. {answer.settle}"
    )


def _words(sentence: str, refusal: Refusal) -> Explained:
    return Explained(sentence=sentence, code=refusal.code, detail=refusal.detail)
