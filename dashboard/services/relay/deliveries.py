"""One webhook on its way to Recall, and what one attempt amounts to. No database."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from dashboard.clients.delivery import Answer
from dashboard.models.check import Finding
from dashboard.models.ids import new_id
from dashboard.models.webhook import Outcome
from dashboard.services.receiver.keyring import SignedWith
from dashboard.services.relay import retries
from dashboard.services.relay.answers import Classification, Next, classify, shown


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One claimed webhook, to be sent before its lease ends.

    Attributes:
        redelivery_id: The resend's row that is claimed; None: the webhook itself.
        claim: Tells this lease from any later one.
        worker: Whose lease it is, "host:process".
        attempts: Made that count towards giving up, without this one.
        verdict: Which secret token signed it, by its name then: see `signers`.
        headers: Sealed, as `WebhookBody`; so is `body`.
        probes: Ids of the holds whose probe it is.
    """

    webhook_id: int
    redelivery_id: int | None = None
    claim: int
    worker: str
    attempts: int
    event: str
    verdict: str
    received_at: datetime
    zoom_app_id: UUID
    recall_app_id: UUID
    workspace_id: UUID
    region: str
    headers: bytes
    body: bytes
    probes: frozenset[UUID] = frozenset()

    @property
    def row_id(self) -> int:
        """Return the id of the row that is claimed, in its own queue."""
        return self.webhook_id if self.redelivery_id is None else self.redelivery_id


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """One attempt, judged, for `record`.

    Attributes:
        answer: What is kept of Recall's answer, without secrets.
        sent_sha256: Of the bytes sent, hex; "" when nothing was.
        sent_bytes: How many they were.
        headers_passed: Names of the headers that went along, space separated.
        challenge: What the answer says of Recall's secret token, for a challenge.
    """

    delivery: Delivery
    started_at: datetime
    latency_ms: float
    status: int | None
    answer: str
    judged: Classification
    sent_sha256: str
    sent_bytes: int
    headers_passed: str
    challenge: tuple[Finding, str] | None = None

    @property
    def ended_at(self) -> datetime:
        """Return when the answer was there, or none was waited for any longer."""
        return self.started_at + timedelta(milliseconds=self.latency_ms)


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What becomes of the claimed row.

    Attributes:
        reason: A sentence.
        due_at: Of the next attempt, or of the end.
    """

    outcome: Outcome
    reason: str
    attempts: int
    due_at: datetime


def conclude(  # noqa: PLR0913 - one attempt's facts, all named
    delivery: Delivery,
    answer: Answer,
    *,
    sent: bytes | None,
    started_at: datetime,
    secrets: Sequence[SecretStr],
    headers_passed: Iterable[str] = (),
    challenge: tuple[Finding, str] | None = None,
    signed_with: SignedWith = SignedWith.GIVEN,
) -> Result:
    """Judge an answer. Touches no database.

    Args:
        delivery: What was sent.
        answer: What came back.
        sent: The bytes that left; None when none did.
        started_at: Aware.
        secrets: Never to be kept, should Recall echo them.
        headers_passed: Names of Zoom's headers that went along.
        challenge: What the answer says of Recall's secret token.
        signed_with: Of the secret token that signed it to Recall's.
    """
    return Result(
        delivery=delivery,
        started_at=started_at,
        latency_ms=answer.latency_ms,
        status=answer.status,
        answer=shown(answer.body, secrets),
        judged=classify(answer, signed_with=signed_with),
        sent_sha256="" if sent is None else sha256(sent).hexdigest(),
        sent_bytes=0 if sent is None else len(sent),
        headers_passed=" ".join(headers_passed),
        challenge=challenge,
    )


def change(result: Result, *, now: datetime, retention: timedelta) -> Change:
    """Return what becomes of the row: delivered, due again or dead.

    Args:
        result: What came of the attempt.
        now: Aware; the next attempt is counted from here.
        retention: How long after its arrival a webhook is tried that a person can
            mend.
    """
    delivery, judged = result.delivery, result.judged
    attempts = delivery.attempts + 1
    outcome, due_at, reason = Outcome.DELIVERED, now, f"{judged.sentence}."
    next_due: datetime | None = None
    match judged.next:
        case Next.DELIVERED:
            pass
        case Next.DEAD:
            outcome = Outcome.DEAD
        case Next.RETRY:
            next_due = retries.next_due(
                attempts,
                webhook_id=delivery.webhook_id,
                now=now,
                asked_s=judged.asked_s,
            )
            if next_due is None:
                outcome = Outcome.DEAD
                tried = retries.in_words()
                reason = f"Given up after being tried {tried}. {reason}"
        case Next.WAIT:
            attempts = delivery.attempts
            if now - delivery.received_at < retention:
                next_due = retries.next_look(delivery.claim, now=now)
            else:
                outcome = Outcome.DEAD
                reason = (
                    f"Given up after {retention.days} days, as long as webhooks are "
                    f"kept. {reason}"
                )
    if next_due is not None:
        outcome, due_at = Outcome.WAITING, next_due
    return Change(
        outcome=outcome, reason=reason[:500], attempts=attempts, due_at=due_at
    )


def attempt(result: Result, *, verdict: str) -> dict[str, Any]:
    """Return the column values of its `Attempt`."""
    delivery = result.delivery
    return {
        "id": new_id(result.started_at),
        "webhook_id": delivery.webhook_id,
        "redelivery_id": delivery.redelivery_id,
        "claim": delivery.claim,
        "worker": delivery.worker,
        "started_at": result.started_at,
        "latency_ms": result.latency_ms,
        "status": result.status,
        "answer": result.answer,
        "verdict": verdict,
        "sent_sha256": result.sent_sha256,
        "sent_bytes": result.sent_bytes,
        "headers_passed": result.headers_passed,
    }
