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
from dashboard.clients.http.retry_after import retry_after_s
from dashboard.models.check import Finding
from dashboard.services.receiver.keyring import SignedWith
from dashboard.services.receiver.signatures import answer_challenge

KEPT_CHARS = 2048
_REMOVED = "(removed)"
# Values under telling names, also one that the cut left open, and what looks like a
# JWT, a bearer header or Recall's verification secret, wherever it stands.
_SECRET = re.compile(
    r"""("[^"]*(?:secret|token|password|api_?key|authorization|code_verifier)[^"]*"
        \s*:\s*)"(?:[^"\\]|\\.)*(?:"|$)
    |\b(Bearer|Token|Basic)\s+[\w.+/=-]{8,}
    |eyJ[\w-]{5,}\.[\w-]*(?:\.[\w-]*)?
    |whsec_[\w+/=-]+""",
    re.IGNORECASE | re.VERBOSE,
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_NO_ANSWER = {
    Failure.TIMEOUT: "Recall did not answer within 15 seconds",
    Failure.DNS: "Recall's host name could not be resolved",
    Failure.TLS: "Recall's TLS certificate is not trusted",
    Failure.REFUSED: "Recall could not be reached",
    Failure.BROKEN: "The connection closed before Recall's response was complete",
    Failure.ADDRESS: "Recall's URL is invalid: check DASHBOARD_RECALL_URL",
    Failure.SEALED: "The stored bytes can't be decrypted with the current keys: an "
    "admin adds the former key to DASHBOARD_ENCRYPTION_KEYS again",
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
SIGNATURE_REFUSED = frozenset({401, 403})
"""Recall's statuses for an invalid signature, unless the answer is HTML."""


class Next(StrEnum):
    """What follows from an answer for its webhook."""

    DELIVERED = "delivered"
    RETRY = "retry"  # on the schedule, and given up at its end
    WAIT = "wait"  # a person can fix it: not counted towards giving up
    DEAD = "dead"


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


def classify(
    answer: Answer, *, signed_with: SignedWith = SignedWith.GIVEN
) -> Classification:
    """Say whether Recall has it, may take it later, or never will.

    The table is in `relay.circuit`.

    Args:
        answer: What came.
        signed_with: Of the secret token that signed what was sent.
    """
    status = answer.status
    if answer.failure is Failure.SEALED:
        sentence = _NO_ANSWER[Failure.SEALED]
        return Classification(next=Next.WAIT, sentence=sentence, workspace=Signal.NONE)
    if answer.failure is not None or status is None:
        sentence = _NO_ANSWER[answer.failure or Failure.BROKEN]
        return Classification(next=Next.RETRY, sentence=sentence, workspace=Signal.DOWN)
    if httpx2.codes.is_success(status):
        sentence = f"Recall accepted it ({status})"
        return Classification(
            next=Next.DELIVERED, sentence=sentence, zoom_app=Signal.FINE
        )
    return _paused(answer, status) or _rejected(answer, status, signed_with)


def _paused(answer: Answer, status: int) -> Classification | None:
    """Classify what affects every webhook of the workspace; else None."""
    wait_s = retry_after_s(httpx2.Headers(dict(answer.headers)), status=status)
    if status in _STOPPED or httpx2.codes.is_redirect(status):
        return Classification(
            next=Next.RETRY if status == HTTPStatus.TOO_MANY_REQUESTS else Next.WAIT,
            sentence=_STOPPED.get(status) or _redirected(status),
            workspace=Signal.STOP,
            retry_after_s=wait_s,
        )
    if status == HTTPStatus.FORBIDDEN and _is_page(answer):
        return Classification(
            next=Next.RETRY, sentence=_FIREWALL, workspace=Signal.DOWN
        )
    if status == HTTPStatus.REQUEST_TIMEOUT or httpx2.codes.is_server_error(status):
        return Classification(
            next=Next.RETRY,
            sentence=f"Recall could not accept it ({status})",
            workspace=Signal.DOWN,
            retry_after_s=wait_s,
        )
    return None


def _rejected(answer: Answer, status: int, signed_with: SignedWith) -> Classification:
    """Classify what Recall says about this webhook or its zoom app."""
    if status in SIGNATURE_REFUSED and signed_with is not SignedWith.GIVEN:
        return _rejected_in_rotation(status, signed_with)
    if status in _REFUSED:
        sentence = _REFUSED[status]
        return Classification(next=Next.WAIT, sentence=sentence, zoom_app=Signal.STOP)
    if status == HTTPStatus.CONFLICT:
        return Classification(
            next=Next.RETRY,
            sentence=f"Recall reported a conflict ({status})",
            retry_after_s=retry_after_s(
                httpx2.Headers(dict(answer.headers)), status=status
            ),
        )
    return Classification(next=Next.DEAD, sentence=f"Recall rejected it ({status})")


def _rejected_in_rotation(status: int, signed_with: SignedWith) -> Classification:
    """Classify a rejected signature during a change of the secret token."""
    match signed_with:
        case SignedWith.NEWER:
            return Classification(
                next=Next.WAIT, sentence=_TOO_EARLY.format(status=status)
            )
        case SignedWith.UNPROVEN:
            return Classification(
                next=Next.WAIT,
                sentence=_UNPROVEN.format(status=status),
                zoom_app=Signal.STOP,
            )
        case _:
            return Classification(
                next=Next.DEAD, sentence=_FORMER.format(status=status)
            )


def _redirected(status: int) -> str:
    return (
        f"Recall's URL redirects ({status}), which is not followed: an admin checks "
        "the workspace's region and DASHBOARD_RECALL_URL"
    )


def _is_page(answer: Answer) -> bool:
    """Whether it is the firewall's HTML rather than an answer of Recall's own.

    Source: docs/contracts/recall.md 1.6, docs.recall.ai/docs/errors, checked
    2026-11-23.
    """
    kind = answer.headers.get("content-type", "")
    return "html" in kind.lower() or answer.body.lstrip()[:1] == b"<"


def shown(body: bytes, secrets: Iterable[SecretStr] = ()) -> str:
    """Return at most 2,048 characters of an answer, without secrets.

    Args:
        body: What was read of the answer.
        secrets: Those that Recall has too, and may echo.
    """
    text = body.decode(errors="replace")
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
    if answer.failure is not None or answer.status is None:
        return None
    if answer.status in SIGNATURE_REFUSED:
        sentence = f"Recall rejected the validation request ({answer.status})"
        return Finding.SECRET_MISMATCH, f"{sentence}: it has a different secret token."
    if not httpx2.codes.is_success(answer.status):
        return (
            Finding.FAILED,
            f"Recall answered the validation request with {answer.status}.",
        )
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
