"""Sends one claimed webhook to Recall: open, post untouched, judge the answer.

Where the answer would be final, a signed test request of our own is sent as well: it
shows whether Recall rejects this webhook alone. Writes nothing; `results.store` does.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from aiohttp import ClientSession
from pydantic import SecretStr
from sqlalchemy import Table

from dashboard.clients import delivery as wire
from dashboard.clients.delivery import Answer, Failure
from dashboard.clients.recall.api import REGIONS, webhook_url
from dashboard.errors import StorageError, VaultError
from dashboard.models.check import Finding
from dashboard.models.circuit import CircuitKind
from dashboard.services.receiver import events
from dashboard.services.receiver.keyring import AppCredentials, SignedWith, signed_with
from dashboard.services.receiver.signatures import (
    Headers,
    signing_secret,
    validation_request,
)
from dashboard.services.relay import retries
from dashboard.services.relay.answers import (
    MAYBE_SIGNATURE,
    SIGNATURE_REFUSED,
    Classification,
    Next,
    SignedTest,
    classify,
    compare_challenge,
    judge_test,
    needs_test,
    shown,
)
from dashboard.services.relay.queues import REDELIVERY, WEBHOOK
from dashboard.services.runtime import Runtime
from dashboard.settings import Settings
from dashboard.vault import Vault


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One claimed webhook, to be sent before its lease ends.

    Attributes:
        redelivery_id: The resend's row that is claimed; None: the webhook itself.
        claim: Number of this lease; a later one has a higher number.
        worker: Who has the lease, "host:process".
        attempts: Those before it that count towards giving up.
        refused_at: When Recall first rejected it alone, if ever.
        verdict: Which secret token signed it, by its name on arrival.
        headers: Encrypted, as in `WebhookBody`; so is `body`.
        probes: IDs of the open circuits that it probes.
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
    refused_at: datetime | None = None

    @property
    def row_id(self) -> int:
        """Return the id of the row that is claimed, in its own queue."""
        return self.webhook_id if self.redelivery_id is None else self.redelivery_id

    @property
    def queue(self) -> Table:
        """Return the queue of that row."""
        return WEBHOOK if self.redelivery_id is None else REDELIVERY

    @property
    def circuits(self) -> Mapping[UUID, CircuitKind]:
        """Return the circuits that its result is counted in."""
        return {
            self.workspace_id: CircuitKind.WORKSPACE,
            self.zoom_app_id: CircuitKind.ZOOM_APP,
        }


class Claimed(Protocol):
    """A claimed row of any queue, as far as its result is stored."""

    @property
    def row_id(self) -> int:
        """The row."""
        ...

    @property
    def queue(self) -> Table:
        """Where it is."""
        ...

    @property
    def claim(self) -> int:
        """Number of its lease."""
        ...

    @property
    def worker(self) -> str:
        """Whose lease it is."""
        ...

    @property
    def attempts(self) -> int:
        """Those before it that count towards giving up."""
        ...

    @property
    def refused_at(self) -> datetime | None:
        """When it alone was first rejected."""
        ...

    @property
    def received_at(self) -> datetime:
        """Since when it waits."""
        ...

    @property
    def probes(self) -> frozenset[UUID]:
        """The open circuits that it probes."""
        ...

    @property
    def circuits(self) -> Mapping[UUID, CircuitKind]:
        """The circuits that its result is counted in."""
        ...


C_co = TypeVar("C_co", bound=Claimed, covariant=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Result(Generic[C_co]):
    """One attempt and what it means, for `results.store`.

    Attributes:
        answer: What is stored of Recall's answer, without secrets.
        sent_sha256: Of the bytes sent, hex; "" when nothing was.
        sent_bytes: How many they were.
        headers_passed: Names of the headers that were sent, space separated.
        challenge: What the answer says about Recall's secret token, for a validation
            request.
        tested: What came of a test request, where the answer would be final.
    """

    delivery: C_co
    started_at: datetime
    latency_ms: float
    status: int | None
    answer: str
    classification: Classification
    sent_sha256: str
    sent_bytes: int
    headers_passed: str
    challenge: tuple[Finding, str] | None = None
    tested: SignedTest | None = None

    @property
    def ended_at(self) -> datetime:
        """Return when the answer was there, or the wait for it ended."""
        return self.started_at + timedelta(milliseconds=self.latency_ms)


class SignedTests:
    """Test requests to Recall; refusals of one zoom app at once share one.

    Args:
        runtime: Settings and clock.
        session: Of the loop it is used in.
    """

    def __init__(self, runtime: Runtime, session: ClientSession) -> None:
        self._runtime = runtime
        self._session = session
        self._running: dict[UUID, asyncio.Task[SignedTest]] = {}

    async def run(self, each: Delivery, app: AppCredentials) -> SignedTest | None:
        """Return what Recall makes of a test request; None without a secret token."""
        secret = _given_to_recall(app)
        if secret is None:
            return None
        running = self._running.get(app.id)
        if running is None:
            running = asyncio.create_task(self._ask(each, secret))
            self._running[app.id] = running
            running.add_done_callback(lambda _: self._running.pop(app.id, None))
        return await asyncio.shield(running)

    async def _ask(self, each: Delivery, secret: SecretStr) -> SignedTest:
        asked = validation_request(secret, now=self._runtime.clock.now())
        headers = {
            "content-type": "application/json; charset=utf-8",
            "x-zm-request-timestamp": asked.timestamp,
            "x-zm-signature": asked.signature,
        }
        url = webhook_url(_base_url(self._runtime.settings, each), each.recall_app_id)
        answer = await wire.post(self._session, url, body=asked.body, headers=headers)
        return judge_test(answer, plain_token=asked.plain, secret=secret)


async def send(
    runtime: Runtime, session: ClientSession, each: Delivery, *, tests: SignedTests
) -> Result[Delivery]:
    """Post one webhook and judge the answer. Writes nothing."""
    started_at = runtime.clock.now()
    try:
        body, headers = _opened(runtime.vault, each)
    except VaultError:
        answer = Answer(failure=Failure.SEALED)
        return conclude(
            each, answer, sent=None, started_at=started_at, secrets=[], challenge=None
        )
    url = webhook_url(_base_url(runtime.settings, each), each.recall_app_id)
    passed_on = wire.passed_on(headers)
    answer = await wire.post(session, url, body=body, headers=passed_on)
    # Usually Recall's answer is empty: then no secret is needed to redact it.
    is_refused = answer.status in SIGNATURE_REFUSED | MAYBE_SIGNATURE
    may_be_final = needs_test(answer) or _is_last(each, answer)
    says = answer.body or may_be_final or each.event == events.URL_VALIDATION
    app = _credentials(runtime, each, is_refused=is_refused) if says else None
    signed_by = (
        signed_with(app, headers, body) if app and is_refused else SignedWith.GIVEN
    )
    tested = None
    if app and (needs_test(answer, signed_with=signed_by) or _is_last(each, answer)):
        tested = await tests.run(each, app)
    return conclude(
        each,
        answer,
        sent=body,
        started_at=started_at,
        secrets=[one.secret for one in app.secrets] if app else (),
        headers_passed=passed_on,
        challenge=_challenge(each, headers, body, answer, app)
        if signed_by is not SignedWith.FORMER
        else None,
        signed_with=signed_by,
        tested=tested,
    )


def _is_last(each: Delivery, answer: Answer) -> bool:
    """Whether the schedule ends with this attempt."""
    if each.attempts + 1 <= len(retries.WAITS_S):
        return False
    return classify(answer).next is Next.RETRY


def _given_to_recall(app: AppCredentials) -> SecretStr | None:
    """Return the secret token that Recall should have."""
    is_behind = app.change is not None and not app.change.is_in_recall
    wanted = "previous" if is_behind else "current"
    by_name = {each.name: each.secret for each in app.secrets}
    return by_name.get(wanted) or by_name.get("current")


def _opened(vault: Vault, each: Delivery) -> tuple[bytes, list[tuple[str, str]]]:
    body, headers = (
        vault.open(sealed, table="webhook_body", column=column, row=each.webhook_id)
        for column, sealed in (("body", each.body), ("headers", each.headers))
    )
    return body, [(name, value) for name, value in json.loads(headers)]


def _base_url(settings: Settings, each: Delivery) -> str:
    # An unknown region's host follows the others' pattern (docs/contracts/recall.md
    # 1.1).
    regional = REGIONS.get(each.region) or f"https://{each.region}.recall.ai"
    return settings.recall_url or regional


def _credentials(
    runtime: Runtime, each: Delivery, *, is_refused: bool
) -> AppCredentials | None:
    """Return the zoom app; newly read where a change of its secrets may matter."""
    keyring = runtime.writer.keyring
    try:
        return (keyring.find_newer if is_refused else keyring.find)(each.zoom_app_id)
    except StorageError:
        return None


def _challenge(
    each: Delivery,
    headers: Headers,
    body: bytes,
    answer: Answer,
    app: AppCredentials | None,
) -> tuple[Finding, str] | None:
    """Compare Recall's answer with the one that Zoom's secret token gives."""
    if app is None or each.event != events.URL_VALIDATION:
        return None
    plain_token = events.parse(body).plain_token
    made_it = signing_secret(headers, body, app.secrets)
    if plain_token is None or made_it is None:
        return None
    return compare_challenge(answer, plain_token=plain_token, secret=made_it.secret)


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
    tested: SignedTest | None = None,
) -> Result[Delivery]:
    """Return the result of an attempt. Touches no database.

    Args:
        delivery: What was sent.
        answer: What came back.
        sent: The bytes that left; None when none did.
        started_at: Aware.
        secrets: Removed from what is stored, should Recall echo them.
        headers_passed: Names of Zoom's headers that were sent.
        challenge: What the answer says about Recall's secret token.
        signed_with: Which secret token signed it.
        tested: What came of a test request, if one was needed.
    """
    return Result(
        delivery=delivery,
        started_at=started_at,
        latency_ms=answer.latency_ms,
        status=answer.status,
        answer=shown(answer.body, secrets),
        classification=classify(answer, signed_with=signed_with, tested=tested),
        sent_sha256="" if sent is None else sha256(sent).hexdigest(),
        sent_bytes=0 if sent is None else len(sent),
        headers_passed=" ".join(headers_passed),
        challenge=challenge,
        tested=tested,
    )
