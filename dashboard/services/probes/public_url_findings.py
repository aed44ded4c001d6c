"""What came back of a challenge to our own public URL, in words. Pure.

Each finding says what was seen and who mends it; docs/probes.md has the table. Zoom
follows no redirect and does not try again after a 3xx or 4xx (docs/contracts/zoom.md
5.6), gives up after 3 s (5.5) and asks for TLS 1.2 with a complete chain (5.1); checked
2026-11-23.
"""

import json
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import SplitResult, urljoin, urlsplit

from dashboard.clients.public_url import PublicUrlAnswer
from dashboard.models.check import Finding
from dashboard.services.probes import public_url_words
from dashboard.services.receiver.signatures import Cause, ValidationRequest
from dashboard.services.validation.evidence import Observation

_GOOD = "Our own challenge to the public URL{} was answered rightly."
_LONGEST = 300
# Of these the receiver's own sentence is right; of a signature it would blame the
# secret token, which is the very one that signed.
_SAID_RIGHTLY = {
    Cause.NO_SECRET,
    Cause.TOO_LARGE,
    Cause.EMPTY,
    Cause.MISSING_HEADER,
    Cause.REWRITTEN,
    Cause.LENGTH,
    Cause.FUTURE,
    Cause.TOO_OLD,
}


def judge(
    asked: ValidationRequest, answer: PublicUrlAnswer, *, url: str
) -> Observation:
    """Return what an answer means, or why there is none."""
    if answer.no_answer is not None:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        sentence = public_url_words.NO_ANSWER[answer.no_answer]
        return _failed(sentence.format(host=parts.hostname, port=port))
    if answer.status == HTTPStatus.OK:
        return _answered(asked, answer)
    if answer.status in range(300, 400):
        return _failed(_redirected(url, answer.headers.get("location", "")))
    return _failed(_refused(answer))


def refused_here(cause: str, detail: str) -> Observation:
    """Return what it means that this dashboard itself refused its own challenge.

    Args:
        cause: Of `signatures.Cause`.
        detail: The refusal's own sentence.
    """
    if cause not in _SAID_RIGHTLY:
        return _failed(public_url_words.ALTERED)
    said = " ".join(detail.split())
    return _failed(f"Our own challenge arrived here and was refused: {said}")


def refused_elsewhere() -> Observation:
    """Return what it means that a dashboard refused it, and this one knows nothing."""
    return _failed(public_url_words.OTHER_DASHBOARD)


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
            f"Our own challenge was answered rightly, but Zoom refuses this URL: "
            f"{trouble}. {public_url_words.SET} an https address with a host name."
        )
    aside, about = "", ""
    if trouble is not None:
        aside = f", which the real Zoom would refuse ({trouble}),"
        about = f" The real Zoom would refuse this URL: {trouble}."
    elif doubt is not None:
        aside, about = f" (mind that {doubt})", f" Mind the public URL: {doubt}."
    if is_good:  # whose last words are followed by how long it took
        return replace(seen, detail=_GOOD.format(aside))
    both = f"{seen.detail}{about}"
    return replace(seen, detail=both if len(both) <= _LONGEST else seen.detail)


def _answered(asked: ValidationRequest, answer: PublicUrlAnswer) -> Observation:
    try:
        said = json.loads(answer.body)
    except ValueError:
        said = None
    if said == asked.answer:
        detail = _GOOD.format("")
        return Observation(finding=Finding.GOOD, detail=detail, took_ms=answer.took_ms)
    if not isinstance(said, dict) or "plainToken" not in said:
        return _failed(_something_else(answer))
    if said["plainToken"] != asked.plain:
        return _failed(public_url_words.OLD_ANSWER)
    if said.get("encryptedToken") == asked.answer["encryptedToken"]:
        return _failed(public_url_words.LONGER_ANSWER)
    return Observation(
        finding=Finding.SECRET_MISMATCH, detail=public_url_words.OTHERS_ANSWER
    )


def _something_else(answer: PublicUrlAnswer) -> str:
    if answer.is_page:
        return public_url_words.PAGE
    if not answer.body.strip():
        return public_url_words.ELSEWHERE.format(
            "it takes any request and answers nothing"
        )
    return public_url_words.ELSEWHERE.format("it answers 200 with other data")


def _redirected(url: str, location: str) -> str:
    here, there = urlsplit(url), _split(url, location)
    before = "It answers with a redirect"
    if there is None:
        return f"{before} to nowhere, and Zoom follows none. {public_url_words.EXEMPTS}"
    if _but_for(here, there) == {"scheme"} and there.scheme == "https":
        return (
            f"{before} to https, and Zoom follows none. "
            f"{public_url_words.SET} the https address."
        )
    if _but_for(here, there) == {"path"} and _slashed(here) == _slashed(there):
        return (
            f"{before} that adds or takes a slash at the end, and Zoom follows none. "
            f"{public_url_words.PROXY} takes /hooks/zoom/ out of that rule."
        )
    host, other = here.hostname or "", there.hostname or ""
    if host == other:
        return (
            f"{before} to another page of {host}, such as a sign-in, and Zoom follows "
            f"none. {public_url_words.EXEMPTS}"
        )
    if host.removeprefix("www.") == other.removeprefix("www."):
        return (
            f"{before} to {other}, and Zoom follows none. "
            f"{public_url_words.SET} that host."
        )
    return (
        f"{before} to {other[:80]}, such as a sign-in there, and Zoom follows none. "
        f"{public_url_words.EXEMPTS}"
    )


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
            return public_url_words.OTHER_APPS
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            return public_url_words.OUT_OF_SERVICE
    sentence = public_url_words.BY_STATUS.get(
        status
    ) or public_url_words.OTHER_STATUS.get(status // 100)
    return (sentence or public_url_words.OTHER_STATUS[5]).format(status=status)


def _failed(detail: str) -> Observation:
    return Observation(finding=Finding.FAILED, detail=detail)
