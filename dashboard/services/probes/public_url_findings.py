"""What the self-test of the public URL found, in words. Pure.

Each finding says what happened and what to do; docs/probes.md has the table. Zoom
follows no redirect and does not retry after a 3xx or 4xx (docs/contracts/zoom.md 5.6),
gives up after 3 s (5.5) and requires TLS 1.2 with a complete chain (5.1); checked
2026-11-23.
"""

import json
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import SplitResult, urljoin, urlsplit

from dashboard.clients.public_url import NoAnswer, PublicUrlAnswer
from dashboard.models.check import Finding
from dashboard.services.receiver.signatures import Cause, ValidationRequest
from dashboard.services.validation.evidence import Observation

PROXY = "The operator of the proxy or tunnel in front"
SET = "Set DASHBOARD_PUBLIC_URL to"
EXEMPTS = f"{PROXY} must let every POST to /hooks/zoom/ through."
ELSEWHERE = (
    "The public URL leads to something other than this dashboard: {}. Correct "
    "DASHBOARD_PUBLIC_URL, or have the proxy or tunnel in front forward /hooks/zoom/ "
    "here."
)
_NOT_ZOOMS = (
    "If Zoom's own requests arrive, only this server's outgoing connection is affected."
)
_SERVES = f"{PROXY} must serve"

NO_ANSWER = {
    NoAnswer.NO_NAME: "{host} has no DNS entry visible from this server. Add it to the "
    "domain's DNS, or correct DASHBOARD_PUBLIC_URL.",
    NoAnswer.NO_LOOK_UP: "This server's DNS resolver does not respond, so {host} could "
    "not be looked up. This does not affect Zoom. Fix DNS on this server.",
    NoAnswer.REFUSED: "{host} refuses connections on port {port}: nothing listens "
    f"there. {PROXY} must start it. {_NOT_ZOOMS}",
    NoAnswer.UNREACHABLE: "{host} is unreachable from this server. Check this server's "
    f"network. {_NOT_ZOOMS}",
    NoAnswer.NO_CONNECTION: "{host} accepted no connection within 3 s, when Zoom gives "
    "up. A firewall drops the connection, or the address is outdated. Check the "
    f"network. {_NOT_ZOOMS}",
    NoAnswer.TOO_SLOW: "No complete response within 3 s, when Zoom gives up. "
    "Either this server is busy, or the proxy or tunnel in front is slow: compare with "
    "this server's load first.",
    NoAnswer.BROKEN_OFF: "The connection closed before the response was complete. "
    f"{PROXY} must check why it does not reach the dashboard.",
    NoAnswer.TOO_LONG: ELSEWHERE.format("its response is far longer than expected"),
    NoAnswer.CHAIN: "The certificate of {host} has no known authority: its chain is "
    f"incomplete, or the authority is private. {_SERVES} the full chain of a public "
    "authority.",
    NoAnswer.SELF_SIGNED: "The certificate of {host} is self-signed, which Zoom "
    f"rejects. {_SERVES} one of a public authority.",
    NoAnswer.EXPIRED: "The certificate of {host} has expired. "
    f"{PROXY} must renew it and check why automatic renewal failed.",
    NoAnswer.NOT_YET: "The certificate of {host} is not valid yet, or this server's "
    "clock is slow. Check both clocks.",
    NoAnswer.OTHER_NAME: "The certificate is not for {host}. "
    f"{_SERVES} one that names it.",
    NoAnswer.OLD_TLS: "{host} only supports TLS older than 1.2, which Zoom requires. "
    f"{PROXY} must enable TLS 1.2.",
    NoAnswer.NO_TLS: "{host} does not speak TLS on port {port}. "
    f"{PROXY} must terminate TLS there, or correct DASHBOARD_PUBLIC_URL.",
    NoAnswer.BAD_TLS: "The TLS connection with {host} failed, or its certificate is "
    f"unusable. {PROXY} must check it with a TLS test tool.",
    NoAnswer.WAY_OUT: "This server's outgoing proxy blocked the self-test. This does "
    "not affect Zoom. Allow {host} in that proxy.",
    NoAnswer.ADDRESS: "The public URL is not a valid address. "
    f"{SET} an address like https://host.",
}
"""Why there is no answer; with {host} and {port}."""

ALTERED = (
    "The self-test arrived here altered, so its signature did not match. The proxy in "
    "front of this server must pass bodies and x-zm- headers on unchanged."
)
OTHER_DASHBOARD = (
    "Another dashboard installation answers at the public URL and rejected the "
    "self-test; this one never received it. Correct DASHBOARD_PUBLIC_URL, or where the "
    "proxy in front leads."
)
OTHER_APPS = (
    "Another dashboard installation answers at the public URL: it does not know this "
    "zoom app. Correct DASHBOARD_PUBLIC_URL, or where the proxy or tunnel in front "
    "leads."
)
OTHERS_ANSWER = (
    "Another dashboard installation answers at the public URL: it used a different "
    "secret token than the one stored here. Correct DASHBOARD_PUBLIC_URL, or where the "
    "proxy or tunnel in front leads."
)
OUT_OF_SERVICE = (
    "The dashboard answered 503: it could not open or store anything at that moment. "
    "Zoom retries for about 85 minutes. Check this server's database and log."
)
OLD_ANSWER = (
    "The response belongs to an earlier request: something in front cached it. "
    f"{PROXY} must turn caching off for /hooks/zoom/."
)
LONGER_ANSWER = (
    "The response was altered on the way: Zoom accepts exactly two keys. "
    f"{PROXY} must leave responses unchanged."
)
PAGE = (
    "A web page came with status 200 instead of the expected response: a tunnel's "
    f"notice, a sign-in or another site. {EXEMPTS} Or correct DASHBOARD_PUBLIC_URL."
)
_SIGN_IN = (
    "Something in front asks for a sign-in or password (HTTP status {status}), which "
    f"Zoom does not have. {EXEMPTS}"
)
_GONE = ELSEWHERE.format("it has no such page (HTTP status {status})")
BY_STATUS = {
    401: _SIGN_IN,
    403: "A firewall or bot rule in front blocked the self-test (HTTP status 403). "
    f"Zoom does not retry after that. {EXEMPTS}",
    404: _GONE,
    407: _SIGN_IN,
    410: _GONE,
    429: "A rate limit in front blocked the self-test (HTTP status 429). Zoom does not "
    f"retry after that. {EXEMPTS}",
    **dict.fromkeys(
        (502, 503, 504, *range(520, 531)),
        "The proxy or tunnel in front answers {status}: it does not reach the "
        "dashboard. Its operator must fix that; Zoom retries for about 85 minutes.",
    ),
}
"""What a status means that is not the dashboard's own; with {status}."""

OTHER_STATUS = {
    1: ELSEWHERE.format("it answers {status} instead of 200 with two keys"),
    2: ELSEWHERE.format("it answers {status} instead of 200 with two keys"),
    4: "Something in front rejected the self-test with HTTP status {status}. Zoom does "
    f"not retry after a 4xx. {EXEMPTS}",
    5: "Something in front failed with HTTP status {status}. " + EXEMPTS,
}
"""The same for the others, by the hundred; with {status}."""

_GOOD = "Self-test of the public URL passed."
_LONGEST = 300
# For these the receiver's own sentence is correct. For a signature it would blame the
# secret token, which is the one that signed.
_EXPLAINED_BY_RECEIVER = {
    Cause.NO_SECRET,
    Cause.TOO_LARGE,
    Cause.MISSING_HEADER,
    Cause.REWRITTEN,
    Cause.PACKED,
    Cause.LENGTH,
    Cause.FUTURE,
    Cause.TOO_OLD,
}


def judge(
    asked: ValidationRequest, answer: PublicUrlAnswer, *, url: str
) -> Observation:
    """Return what the response means, or why there is none."""
    if answer.no_answer is not None:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        sentence = NO_ANSWER[answer.no_answer]
        return _failed(sentence.format(host=parts.hostname, port=port))
    if answer.status == HTTPStatus.OK:
        return _answered(asked, answer)
    if answer.status in range(300, 400):
        return _failed(_redirected(url, answer.headers.get("location", "")))
    return _failed(_refused(answer))


def refused_here(cause: str, detail: str) -> Observation:
    """Return what it means that this dashboard rejected its own self-test.

    Args:
        cause: Of `signatures.Cause`.
        detail: The refusal's own sentence.
    """
    if cause not in _EXPLAINED_BY_RECEIVER:
        return _failed(ALTERED)
    said = " ".join(detail.split())
    return _failed(f"The self-test arrived, but this dashboard rejected it: {said}")


def refused_elsewhere() -> Observation:
    """Return what it means that another dashboard rejected the self-test."""
    return _failed(OTHER_DASHBOARD)


def is_receivers(answer: PublicUrlAnswer) -> bool:
    """Whether a dashboard's receiver refused it: it says the status, nothing else."""
    if answer.status not in set(HTTPStatus):
        return False
    phrase = f"{HTTPStatus(answer.status).phrase}\n".encode()
    return answer.status >= HTTPStatus.BAD_REQUEST and answer.body == phrase


def with_address(
    seen: Observation, *, trouble: str | None, doubt: str | None, is_real_zoom: bool
) -> Observation:
    """Add what is known of the public URL without calling it.

    Args:
        seen: What calling it showed.
        trouble: Why Zoom would refuse the URL, from `settings.public_url_trouble`.
        doubt: What may go wrong with it, from `settings.public_url_doubt`.
        is_real_zoom: Not a simulated one, which takes any URL.
    """
    is_good = seen.finding is Finding.GOOD
    if trouble is not None and is_good and is_real_zoom:
        return _failed(
            f"The self-test passed, but Zoom rejects this URL: {trouble}. {SET} an "
            "https address with a host name."
        )
    about = ""
    if trouble is not None:
        about = f" Note: the real Zoom rejects this URL: {trouble}."
    elif doubt is not None:
        about = f" Note: {doubt}."
    both = f"{seen.detail}{about}"
    return replace(seen, detail=both if len(both) <= _LONGEST else seen.detail)


def _answered(asked: ValidationRequest, answer: PublicUrlAnswer) -> Observation:
    try:
        said = json.loads(answer.body)
    except ValueError:
        said = None
    if said == asked.answer:
        return Observation(finding=Finding.GOOD, detail=_GOOD, took_ms=answer.took_ms)
    if not isinstance(said, dict) or "plainToken" not in said:
        return _failed(_something_else(answer))
    if said["plainToken"] != asked.plain:
        return _failed(OLD_ANSWER)
    if said.get("encryptedToken") == asked.answer["encryptedToken"]:
        return _failed(LONGER_ANSWER)
    return Observation(finding=Finding.SECRET_MISMATCH, detail=OTHERS_ANSWER)


def _something_else(answer: PublicUrlAnswer) -> str:
    if answer.is_page:
        return PAGE
    if not answer.body.strip():
        return ELSEWHERE.format("it accepts any request and returns nothing")
    return ELSEWHERE.format("it returns 200 with other data")


def _redirected(url: str, location: str) -> str:
    here, there = urlsplit(url), _split(url, location)
    before = "The public URL redirects"
    if there is None:
        return f"{before} without a target; Zoom follows none. {EXEMPTS}"
    if _but_for(here, there) == {"scheme"} and there.scheme == "https":
        return f"{before} to https; Zoom follows none. {SET} the https address."
    if _but_for(here, there) == {"path"} and _slashed(here) == _slashed(there):
        return (
            f"{before} to add or remove a trailing slash; Zoom follows none. "
            f"{PROXY} must exempt /hooks/zoom/ from that rule."
        )
    host, other = here.hostname or "", there.hostname or ""
    if host == other:
        return (
            f"{before} to another page of {host}, such as a sign-in; Zoom follows "
            f"none. {EXEMPTS}"
        )
    if host.removeprefix("www.") == other.removeprefix("www."):
        return f"{before} to {other}; Zoom follows none. {SET} that host."
    return f"{before} to {other[:80]}, such as a sign-in; Zoom follows none. {EXEMPTS}"


def _split(url: str, location: str) -> SplitResult | None:
    try:
        return urlsplit(urljoin(url, location)) if location else None
    except ValueError:
        return None


def _but_for(here: SplitResult, there: SplitResult) -> set[str]:
    return {
        name
        for name in ("scheme", "hostname", "path")
        if getattr(here, name) != getattr(there, name)
    }


def _slashed(parts: SplitResult) -> str:
    return parts.path.rstrip("/")


def _refused(answer: PublicUrlAnswer) -> str:
    status = answer.status
    if is_receivers(answer):
        if status == HTTPStatus.NOT_FOUND:
            return OTHER_APPS
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            return OUT_OF_SERVICE
    sentence = BY_STATUS.get(status) or OTHER_STATUS.get(status // 100)
    return (sentence or OTHER_STATUS[5]).format(status=status)


def _failed(detail: str) -> Observation:
    return Observation(finding=Finding.FAILED, detail=detail)
