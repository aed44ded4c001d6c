"""What Recall's answer to a forwarded webhook means. Pure.

Recall documents neither its answers nor its retries here (docs/contracts/recall.md 3.8,
checked 2026-11-23), so whatever a person or time can mend is tried again.
"""

import hmac
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

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
    Failure.DNS: "The name of Recall's host could not be looked up",
    Failure.TLS: "Recall's certificate could not be trusted",
    Failure.REFUSED: "Recall's host could not be reached",
    Failure.BROKEN: "The connection broke before Recall's answer was whole",
    Failure.ADDRESS: "Recall's address cannot be used: see DASHBOARD_RECALL_URL",
    Failure.SEALED: "The stored bytes do not open with the encryption keys set here: "
    "an admin puts the former key back into DASHBOARD_ENCRYPTION_KEYS",
}
_REFUSED = {
    401: "Recall refused the signature (401): it holds another secret token. An admin "
    "saves this zoom app's secret token again, here and in Recall",
    403: "Recall refused it (403): it holds another secret token. An admin saves this "
    "zoom app's secret token again, here and in Recall",
    404: "Recall does not know this zoom app (404): an admin creates or adopts it on "
    "the zoom app's page",
}
_TOO_EARLY = (
    "Recall has the former secret token still ({status}): it goes out once Recall was "
    "given the new one"
)
_UNPROVEN = (
    "Recall refused the signature ({status}): Zoom still signs with the former secret "
    "token, and Recall has the new one. An admin enters the one that Zoom shows"
)
_FORMER = (
    "Signed with the former secret token, which Recall does not hold any more "
    "({status})"
)
_STOPPED = {
    402: "Recall's workspace is out of credit (402): an admin tops it up at Recall",
    429: "Recall answered too many requests (429)",
}
_FIREWALL = (
    "Recall's firewall stopped it (403 with a page): something in it looked suspicious "
    "there. If it stays so, an admin asks Recall's support to let this server through"
)
_FORBIDDEN, _TIMED_OUT, _CONFLICT, _TOO_MANY = 403, 408, 409, 429
SIGNATURE_REFUSED = frozenset({401, 403})
"""By which Recall says that a signature is not right, unless it is a page."""


class Next(StrEnum):
    """What follows from an answer for its webhook."""

    DELIVERED = "delivered"
    RETRY = "retry"  # on the schedule, and given up at its end
    WAIT = "wait"  # a person can mend it: not counted towards giving up
    DEAD = "dead"


class Signal(StrEnum):
    """What an answer says of its workspace or zoom app (see relay/circuit.py)."""

    FINE = "fine"
    DOWN = "down"  # one of several that make it stand still
    STOP = "stop"  # stands still at once
    NONE = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Classification:
    """An answer, judged.

    Attributes:
        sentence: Why, and who mends it; without a full stop.
        asked_s: How long Recall asks us to wait, in seconds.
    """

    next: Next
    sentence: str
    workspace: Signal = Signal.FINE
    zoom_app: Signal = Signal.NONE
    asked_s: float | None = None


def classify(
    answer: Answer, *, signed_with: SignedWith = SignedWith.GIVEN
) -> Classification:
    """Say whether Recall has it, may take it later, or never will.

    The table is in services/relay/circuit.py.

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
        sentence = f"Recall took it ({status})"
        return Classification(
            next=Next.DELIVERED, sentence=sentence, zoom_app=Signal.FINE
        )
    return _stopped(answer, status) or _refused(answer, status, signed_with)


def _stopped(answer: Answer, status: int) -> Classification | None:
    """Judge what stands in the way of every webhook of the workspace; else None."""
    asked_s = retry_after_s(httpx2.Headers(dict(answer.headers)), status=status)
    if status in _STOPPED or httpx2.codes.is_redirect(status):
        return Classification(
            next=Next.RETRY if status == _TOO_MANY else Next.WAIT,
            sentence=_STOPPED.get(status) or _elsewhere(status),
            workspace=Signal.STOP,
            asked_s=asked_s,
        )
    if status == _FORBIDDEN and _is_page(answer):
        return Classification(
            next=Next.RETRY, sentence=_FIREWALL, workspace=Signal.DOWN
        )
    if status == _TIMED_OUT or httpx2.codes.is_server_error(status):
        return Classification(
            next=Next.RETRY,
            sentence=f"Recall could not take it now ({status})",
            workspace=Signal.DOWN,
            asked_s=asked_s,
        )
    return None


def _refused(answer: Answer, status: int, signed_with: SignedWith) -> Classification:
    """Judge what Recall says of this webhook or its zoom app."""
    if status in SIGNATURE_REFUSED and signed_with is not SignedWith.GIVEN:
        return _of_a_rotation(status, signed_with)
    if status in _REFUSED:
        sentence = _REFUSED[status]
        return Classification(next=Next.WAIT, sentence=sentence, zoom_app=Signal.STOP)
    if status == _CONFLICT:
        return Classification(
            next=Next.RETRY,
            sentence=f"Recall answered a conflict ({status})",
            asked_s=retry_after_s(httpx2.Headers(dict(answer.headers)), status=status),
        )
    return Classification(
        next=Next.DEAD, sentence=f"Recall will not take it ({status})"
    )


def _of_a_rotation(status: int, signed_with: SignedWith) -> Classification:
    """Judge a refused signature that says less than that the zoom app is wrong."""
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


def _elsewhere(status: int) -> str:
    return (
        f"Recall's address leads elsewhere ({status}) and is not followed: an admin "
        "checks the workspace's region and DASHBOARD_RECALL_URL"
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
        secrets: Those that Recall holds too, and may echo.
    """
    text = body.decode(errors="replace")
    for secret in secrets:
        text = text.replace(secret.get_secret_value(), _REMOVED)
    text = _SECRET.sub(_blanked, text)
    return _CONTROL.sub(" ", text)[:KEPT_CHARS]


def compare_challenge(
    answer: Answer, *, plain_token: str, secret: SecretStr
) -> tuple[Finding, str] | None:
    """Say whether Recall holds the secret token that Zoom signed a challenge with.

    Returns:
        The finding and a sentence; None when Recall has not said anything about it.
    """
    if answer.failure is not None or answer.status is None:
        return None
    if answer.status in (401, 403):
        sentence = f"Recall refused the challenge's signature ({answer.status})"
        return Finding.SECRET_MISMATCH, f"{sentence}: it holds another secret token."
    if not httpx2.codes.is_success(answer.status):
        return Finding.FAILED, f"Recall answered the challenge with {answer.status}."
    told = _challenge_answer(answer.body)
    if told is None or told[0] != plain_token:
        return Finding.FAILED, "Recall's answer to the challenge holds no tokens."
    right = answer_challenge(plain_token, secret)["encryptedToken"]
    if hmac.compare_digest(told[1].encode(errors="replace"), right.encode()):
        return Finding.GOOD, "Recall answered the challenge with the right token."
    return (
        Finding.SECRET_MISMATCH,
        "Recall answered the challenge with another secret token than Zoom's.",
    )


def _challenge_answer(body: bytes) -> tuple[str, str] | None:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    plain, encrypted = told.get("plainToken"), told.get("encryptedToken")
    if not isinstance(plain, str) or not isinstance(encrypted, str):
        return None
    return plain, encrypted


def _blanked(found: re.Match[str]) -> str:
    if found[1]:
        return f'{found[1]}"{_REMOVED}"'
    return f"{found[2]} {_REMOVED}" if found[2] else _REMOVED
