"""What Recall's answer to a forwarded webhook means. Pure.

Recall documents neither its answers nor its retries here (contracts/recall.md 3.8,
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
from dashboard.clients.waiting import retry_after_s
from dashboard.models.check import Finding
from dashboard.services.signatures import answer_challenge

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
_MENDED_BY_A_PERSON = {
    401: "Recall refused the signature (401): it holds another secret token. An admin "
    "saves this zoom app's secret token again, here and in Recall",
    402: "Recall's workspace is out of credit (402): an admin tops it up at Recall",
    403: "Recall refused it (403): it holds another secret token, or its firewall "
    "stopped us. An admin compares the secret tokens",
    404: "Recall does not know this zoom app (404): an admin creates or adopts it on "
    "the zoom app's page",
}
_MENDED_BY_TIME = {408: "a time-out", 409: "a conflict", 429: "too many requests"}


class Next(StrEnum):
    """What follows from an answer."""

    DELIVERED = "delivered"
    RETRY = "retry"
    DEAD = "dead"


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """An answer, judged.

    Attributes:
        sentence: Why, and who mends it; without a full stop.
        asked_s: How long Recall asks us to wait, in seconds.
    """

    next: Next
    sentence: str
    asked_s: float | None = None


def judge(answer: Answer) -> Judged:
    """Say whether Recall has it, may take it later, or never will."""
    if answer.failure is not None or answer.status is None:
        sentence = _NO_ANSWER[answer.failure or Failure.BROKEN]
        return Judged(next=Next.RETRY, sentence=sentence)
    if httpx2.codes.is_success(answer.status):
        return Judged(next=Next.DELIVERED, sentence=f"Recall took it ({answer.status})")
    mendable = _mendable(answer.status)
    if mendable is None:
        return Judged(
            next=Next.DEAD, sentence=f"Recall will not take it ({answer.status})"
        )
    headers = httpx2.Headers(dict(answer.headers))
    return Judged(
        next=Next.RETRY,
        sentence=mendable,
        asked_s=retry_after_s(headers, status=answer.status),
    )


def _mendable(status: int) -> str | None:
    if status in _MENDED_BY_A_PERSON:
        return _MENDED_BY_A_PERSON[status]
    if status in _MENDED_BY_TIME:
        return f"Recall answered {_MENDED_BY_TIME[status]} ({status})"
    if httpx2.codes.is_server_error(status):
        return f"Recall could not take it now ({status})"
    if httpx2.codes.is_redirect(status):
        return (
            f"Recall's address leads elsewhere ({status}) and is not followed: an "
            "admin checks the workspace's region and DASHBOARD_RECALL_URL"
        )
    return None


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
