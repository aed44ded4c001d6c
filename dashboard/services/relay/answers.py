"""What Recall's answer to a forwarded webhook means. Pure.

Recall documents neither its answers nor its retries here (docs/contracts/recall.md 3.8,
checked 2026-11-23), so everything that a person or time can fix is retried.
"""

import hmac
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

import httpx2
from pydantic import SecretStr

from dashboard.clients.delivery import Answer, Failure
from dashboard.clients.http.error_bodies import is_page
from dashboard.clients.http.retry_after import retry_after_s
from dashboard.models.check import Finding
from dashboard.services.receiver.keyring import SignedWith
from dashboard.services.receiver.signatures import answer_challenge
from dashboard.services.validation.states import MAY_DIFFER

KEPT_CHARS = 2048
LOOKED_AT_CHARS = 32 * 1024
_REMOVED = "(removed)"
# Values under telling names, also one that the cut left open, and what looks like a
# JWT, a bearer header or Recall's verification secret, wherever it stands.
_SECRET = re.compile(
    r"""("[^"]{0,200}
        (?:secret|token|password|api_?key|authorization|code_verifier)[^"]{0,200}"
        \s*:\s*)"(?:[^"\\]|\\.)*(?:"|$)
    |\b(Bearer|Token|Basic)\s+[\w.+/=-]{8,}
    |eyJ[\w-]{5,}(?:\.[\w-]*){0,2}
    |whsec_[\w+/=-]+""",
    re.IGNORECASE | re.VERBOSE,
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_NO_ANSWER = {
    Failure.TIMEOUT: "Recall did not answer within 15 seconds",
    Failure.DNS: "Recall's host name could not be resolved",
    Failure.TLS: "Recall's TLS certificate is not trusted",
    Failure.REFUSED: "Recall could not be reached",
    Failure.PRIVATE: "Recall's address is not a public one; nothing was sent",
    Failure.BROKEN: "The connection closed before Recall's response was complete",
    Failure.ADDRESS: "Recall's URL is invalid: check DASHBOARD_RECALL_URL",
    Failure.SEALED: "The stored bytes can't be decrypted with the current keys: an "
    "admin adds the former key to DASHBOARD_ENCRYPTION_KEYS again",
}
_ENDPOINT_FAILED = {
    Failure.TIMEOUT: "The endpoint did not answer within 15 seconds",
    Failure.DNS: "The endpoint's host name could not be resolved",
    Failure.TLS: "The endpoint's TLS certificate is not trusted",
    Failure.REFUSED: "The endpoint could not be reached",
    Failure.PRIVATE: "The endpoint has a private address, so nothing was sent: an "
    "operator can allow that by DASHBOARD_ALLOW_PRIVATE_ENDPOINTS",
    Failure.BROKEN: "The connection closed before the endpoint's response was complete",
    Failure.ADDRESS: "The endpoint's URL is invalid",
}
_REFUSED = {
    401: "Recall rejected the signature (401): it has a different secret token. An "
    "admin saves the secret token again here, then presses Update in Recall",
    403: "Recall rejected it (403): it has a different secret token. An admin saves "
    "the secret token again here, then presses Update in Recall",
    404: "Recall does not know this zoom app (404): an admin creates or adopts it on "
    "the zoom app's page",
}
_TOO_EARLY = (
    "Recall still has the former secret token ({status}): delivery continues once "
    "Recall has the new one"
)
_UNPROVEN = (
    "Recall rejected the signature ({status}): Zoom still signs with the former secret "
    "token, but Recall has the new one. An admin enters the token that Zoom shows"
)
_FORMER = "Signed with the former secret token, which Recall no longer has ({status})"
_STOPPED = {
    402: "The Recall workspace is out of credit (402): an admin adds credit at Recall",
    429: "Recall's rate limit was reached (429)",
}
_FIREWALL = (
    "Recall's firewall blocked it (403 with an HTML page). If this continues, an admin "
    "asks Recall's support to allow this server"
)
PAGE_ANSWERED = "A web page answered instead of Recall"
"""How an attempt's verdict begins, whatever the status."""

_PAGE = (
    PAGE_ANSWERED + " ({status}): an admin checks the workspace's "
    "region, DASHBOARD_RECALL_URL, and what stands between this server and Recall"
)
_UNTESTED = (
    "Recall rejected it ({status}). Whether Recall accepts anything else could not be "
    "tested"
)
_ALONE = "Recall rejected this webhook ({status}), but passed our signed test"
_TOO = "Recall rejected it ({status}), and our signed test request as well ({tested}). "
_LIKELY = (
    f"{MAY_DIFFER}: an admin saves the secret token again here, then presses Update in "
    "Recall"
)
_ELSEWHERE = "An admin checks the workspace's region and DASHBOARD_RECALL_URL"
SIGNATURE_REFUSED = frozenset({401, 403})
"""Recall's statuses for an invalid signature, unless the answer is a page."""

MAYBE_SIGNATURE = frozenset({400, 422})
"""Statuses that other services give for an invalid signature.

What Recall answers is not published (docs/contracts/recall.md 3.8).
"""


class Next(StrEnum):
    """What follows from an answer for its webhook."""

    DELIVERED = "delivered"
    RETRY = "retry"  # on the schedule, and given up at its end
    WAIT = "wait"  # a person can fix it: not counted towards giving up
    DEAD = "dead"  # no one can fix it
    REFUSED = "refused"  # it alone; given up when that happens again an hour later


class Signal(StrEnum):
    """What an answer says about its workspace or zoom app (see `relay.circuit`)."""

    FINE = "fine"
    DOWN = "down"  # several of them pause delivery
    STOP = "stop"  # pauses delivery at once
    NONE = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Classification:
    """What an answer means.

    Attributes:
        sentence: Why, and who fixes it; without a full stop.
        retry_after_s: How long Recall asks us to wait, in seconds.
    """

    next: Next
    sentence: str
    workspace: Signal = Signal.FINE
    zoom_app: Signal = Signal.NONE
    retry_after_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedTest:
    """What Recall made of a test request of our own, correctly signed.

    No webhook is given up unless Recall passes one at that moment.

    Attributes:
        is_passed: Whether Recall accepts what is signed correctly.
        status: HTTP status; None without an answer.
        finding: What it says as evidence.
        detail: The same in a sentence.
        paused: What it says about the workspace, if it is about that.
        took_ms: How long the answer took, in milliseconds.
    """

    is_passed: bool
    status: int | None
    finding: Finding
    detail: str
    paused: Classification | None = None
    took_ms: float = 0.0


def judge_test(answer: Answer, *, plain_token: str, secret: SecretStr) -> SignedTest:
    """Judge Recall's answer to a test request signed with this secret token. Pure.

    Recall publishes no form of its answer, so any success that is no page and no wrong
    token passes (docs/contracts/recall.md 3.8).
    """
    paused = _paused(answer)
    said = compare_challenge(answer, plain_token=plain_token, secret=secret)
    if said is None or paused is not None:
        words = "no answer" if paused is None else paused.sentence
        said = Finding.FAILED, f"Recall didn't answer our test: {words}."
    finding, detail = said
    is_success = answer.status is not None and httpx2.codes.is_success(answer.status)
    return SignedTest(
        is_passed=paused is None
        and is_success
        and finding is not Finding.SECRET_MISMATCH,
        status=answer.status,
        finding=finding,
        detail=detail,
        paused=paused,
        took_ms=answer.latency_ms,
    )


def needs_test(answer: Answer, *, signed_with: SignedWith = SignedWith.GIVEN) -> bool:
    """Whether only a test request shows what a refusal is about."""
    status = answer.status
    if answer.failure is not None or status is None or _paused(answer) is not None:
        return False
    if httpx2.codes.is_success(status) or status == HTTPStatus.CONFLICT:
        return False
    return not _is_in_rotation(status, signed_with)


def classify(
    answer: Answer,
    *,
    signed_with: SignedWith = SignedWith.GIVEN,
    tested: SignedTest | None = None,
) -> Classification:
    """Say whether Recall has it, may accept it later, or rejects it.

    The table is in `relay.circuit`.

    Args:
        answer: What came.
        signed_with: Of the secret token that signed what was sent.
        tested: What came of a test request, where `needs_test` asked for one.
    """
    paused = _paused(answer)
    if paused is not None:
        return paused
    status = answer.status
    if status is None:
        raise TypeError("an answer without a status has a failure")
    if httpx2.codes.is_success(status):
        sentence = f"Recall accepted it ({status})"
        return Classification(
            next=Next.DELIVERED, sentence=sentence, zoom_app=Signal.FINE
        )
    return _rejected(answer, status, signed_with, tested)


def classify_endpoint(answer: Answer) -> Classification:
    """Say whether an endpoint of the customer's has it; anything else is retried."""
    status = answer.status
    if answer.failure is Failure.SEALED:
        sentence = _NO_ANSWER[Failure.SEALED]
        return Classification(next=Next.WAIT, sentence=sentence, workspace=Signal.NONE)
    if answer.failure is not None or status is None:
        sentence = _ENDPOINT_FAILED[answer.failure or Failure.BROKEN]
        return Classification(next=Next.RETRY, sentence=sentence, workspace=Signal.DOWN)
    if httpx2.codes.is_success(status):
        sentence = f"The endpoint accepted it ({status})"
        return Classification(next=Next.DELIVERED, sentence=sentence)
    is_redirect = httpx2.codes.is_redirect(status)
    is_busy = status == HTTPStatus.TOO_MANY_REQUESTS
    return Classification(
        next=Next.RETRY,
        sentence=f"The endpoint redirects ({status}), which is not followed"
        if is_redirect
        else f"The endpoint rejected it ({status})",
        workspace=Signal.STOP if is_busy else Signal.DOWN,
        retry_after_s=retry_after_s(
            httpx2.Headers(dict(answer.headers)), status=status
        ),
    )


def _paused(answer: Answer) -> Classification | None:
    """Classify what is no answer about this webhook or its zoom app; else None."""
    status = answer.status
    if answer.failure is Failure.SEALED:
        sentence = _NO_ANSWER[Failure.SEALED]
        return Classification(next=Next.WAIT, sentence=sentence, workspace=Signal.NONE)
    if answer.failure is not None or status is None:
        sentence = _NO_ANSWER[answer.failure or Failure.BROKEN]
        return Classification(next=Next.RETRY, sentence=sentence, workspace=Signal.DOWN)
    wait_s = (
        None
        if httpx2.codes.is_success(status)
        else retry_after_s(httpx2.Headers(dict(answer.headers)), status=status)
    )
    if status in _STOPPED or httpx2.codes.is_redirect(status):
        return Classification(
            next=Next.RETRY if status == HTTPStatus.TOO_MANY_REQUESTS else Next.WAIT,
            sentence=_STOPPED.get(status) or _redirected(status),
            workspace=Signal.STOP,
            retry_after_s=wait_s,
        )
    if status == HTTPStatus.REQUEST_TIMEOUT or httpx2.codes.is_server_error(status):
        return Classification(
            next=Next.RETRY,
            sentence=f"Recall could not accept it ({status})",
            workspace=Signal.DOWN,
            retry_after_s=wait_s,
        )
    if _is_page(answer):
        # Source: docs/contracts/recall.md 1.6, docs.recall.ai/docs/errors, checked
        # 2026-11-23.
        is_firewall = status == HTTPStatus.FORBIDDEN
        return Classification(
            next=Next.RETRY,
            sentence=_FIREWALL if is_firewall else _PAGE.format(status=status),
            workspace=Signal.DOWN,
        )
    return None


def _rejected(
    answer: Answer, status: int, signed_with: SignedWith, tested: SignedTest | None
) -> Classification:
    """Classify what Recall says about this webhook or its zoom app."""
    if _is_in_rotation(status, signed_with):
        return _rejected_in_rotation(status, signed_with)
    if status == HTTPStatus.CONFLICT:
        return Classification(
            next=Next.RETRY,
            sentence=f"Recall reported a conflict ({status})",
            retry_after_s=retry_after_s(
                httpx2.Headers(dict(answer.headers)), status=status
            ),
        )
    if tested is None:
        return Classification(
            next=Next.WAIT,
            sentence=_REFUSED.get(status) or _UNTESTED.format(status=status),
            zoom_app=Signal.STOP if status in _REFUSED else Signal.NONE,
        )
    if tested.is_passed:
        is_former = signed_with is SignedWith.FORMER and status in SIGNATURE_REFUSED
        return Classification(
            next=Next.DEAD if is_former else Next.REFUSED,
            sentence=(_FORMER if is_former else _ALONE).format(status=status),
            zoom_app=Signal.FINE,
        )
    if tested.paused is not None:
        return Classification(
            next=Next.RETRY,
            sentence=f"{_UNTESTED.format(status=status)}. {tested.paused.sentence}",
            workspace=tested.paused.workspace,
            retry_after_s=tested.paused.retry_after_s,
        )
    return Classification(
        next=Next.WAIT, sentence=_both_rejected(status, tested), zoom_app=Signal.STOP
    )


def _both_rejected(status: int, tested: SignedTest) -> str:
    """Say why Recall rejects whatever comes, and who fixes it."""
    if tested.status == status and status in _REFUSED:
        return _REFUSED[status]
    before = _TOO.format(status=status, tested=tested.status)
    if tested.status in _REFUSED:
        return before + _REFUSED[tested.status]
    is_mismatch = tested.finding is Finding.SECRET_MISMATCH
    return before + (_LIKELY if is_mismatch else _ELSEWHERE)


def _is_in_rotation(status: int, signed_with: SignedWith) -> bool:
    """Whether a change of the secret token explains the refusal by itself."""
    explains = {SignedWith.NEWER, SignedWith.UNPROVEN}
    return signed_with in explains and status in SIGNATURE_REFUSED | MAYBE_SIGNATURE


def _rejected_in_rotation(status: int, signed_with: SignedWith) -> Classification:
    """Classify a rejected signature during a change of the secret token."""
    is_early = signed_with is SignedWith.NEWER
    return Classification(
        next=Next.WAIT,
        sentence=(_TOO_EARLY if is_early else _UNPROVEN).format(status=status),
        zoom_app=Signal.NONE if is_early else Signal.STOP,
    )


def _redirected(status: int) -> str:
    return (
        f"Recall's URL redirects ({status}), which is not followed: an admin checks "
        "the workspace's region and DASHBOARD_RECALL_URL"
    )


def _is_page(answer: Answer) -> bool:
    return is_page(answer.body, answer.headers.get("content-type", ""))


def shown(body: bytes, secrets: Iterable[SecretStr] = ()) -> str:
    """Return at most 2,048 characters of an answer, without secrets.

    Args:
        body: What was read of the answer.
        secrets: Those that Recall has too, and may echo.
    """
    text = body[: 4 * LOOKED_AT_CHARS].decode(errors="replace")[:LOOKED_AT_CHARS]
    for secret in secrets:
        text = text.replace(secret.get_secret_value(), _REMOVED)
    text = _SECRET.sub(_blanked, text)
    return _CONTROL.sub(" ", text)[:KEPT_CHARS]


def compare_challenge(
    answer: Answer, *, plain_token: str, secret: SecretStr
) -> tuple[Finding, str] | None:
    """Compare Recall's answer to a validation request with Zoom's secret token.

    Returns:
        The finding and a sentence; None when Recall gave no answer.
    """
    status = answer.status
    if answer.failure is not None or status is None or _is_page(answer):
        return None
    if not httpx2.codes.is_success(status):
        return _challenge_rejected(status)
    tokens = _challenge_answer(answer.body)
    if tokens is None or tokens[0] != plain_token:
        return (
            Finding.FAILED,
            "Recall's answer to the validation request contains no tokens.",
        )
    expected = answer_challenge(plain_token, secret)["encryptedToken"]
    if hmac.compare_digest(tokens[1].encode(errors="replace"), expected.encode()):
        return Finding.GOOD, "Recall answered the validation request correctly."
    return (
        Finding.SECRET_MISMATCH,
        "Recall answered the validation request with a different secret token.",
    )


def _challenge_rejected(status: int) -> tuple[Finding, str]:
    sentence = f"Recall rejected the validation request ({status})"
    if status in SIGNATURE_REFUSED:
        return Finding.SECRET_MISMATCH, f"{sentence}: it has a different secret token."
    if status in MAYBE_SIGNATURE:
        return Finding.SECRET_MISMATCH, f"{sentence}. {MAY_DIFFER}."
    return Finding.FAILED, f"Recall answered the validation request with {status}."


def _challenge_answer(body: bytes) -> tuple[str, str] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    plain, encrypted = found.get("plainToken"), found.get("encryptedToken")
    if not isinstance(plain, str) or not isinstance(encrypted, str):
        return None
    return plain, encrypted


def _blanked(found: re.Match[str]) -> str:
    if found[1]:
        return f'{found[1]}"{_REMOVED}"'
    return f"{found[2]} {_REMOVED}" if found[2] else _REMOVED
