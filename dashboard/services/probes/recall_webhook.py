"""Tests whether Recall has the secret token stored here, with a validation request.

The request goes to Recall's own URL of the app, so that Zoom is not affected, whatever
the routing.
"""

import hmac
import time
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from uuid import UUID

from pydantic import SecretStr
from sqlmodel import Session

from dashboard.clients.recall.api import Recall, challenge
from dashboard.errors import ConflictError, UpstreamError
from dashboard.models.check import Finding, Source
from dashboard.models.zoom_app import Routing
from dashboard.services import urls
from dashboard.services.probes import public_url, recall_record
from dashboard.services.probes.public_url import Pause
from dashboard.services.probes.recall_record import RecordAnswer
from dashboard.services.recall import workspaces
from dashboard.services.receiver import signatures
from dashboard.services.relay.answers import MAYBE_SIGNATURE
from dashboard.services.runtime import Runtime
from dashboard.services.validation import evidence, schedule
from dashboard.services.validation.evidence import Observation
from dashboard.services.validation.states import MAY_DIFFER
from dashboard.services.zoom_apps import apps

_READS = 3
_PAUSE_S = 0.3


@dataclass(frozen=True, kw_only=True)
class ProbeResults:
    """Results of the tests of one zoom app; None for one that did not run."""

    self_test: Observation | None = None
    recall: Observation | None = None

    @property
    def is_good(self) -> bool:
        """Whether each test that ran passed."""
        put = [seen for seen in (self.self_test, self.recall) if seen is not None]
        return all(seen.finding is Finding.GOOD for seen in put)


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What Recall said: to the challenge, and of its record afterwards."""

    challenge: Observation
    record: RecordAnswer


@dataclass(frozen=True, kw_only=True)
class _Job:
    recall_app_id: UUID
    base_url: str
    secret: SecretStr
    recall: Recall


def probe(
    runtime: Runtime, zoom_app_id: UUID, *, pause: Pause = time.sleep
) -> ProbeResults:
    """Run the tests that make sense and store the results; commits.

    The self-test of the public URL unless routing is direct, and the test of Recall if
    the app is there.

    Args:
        runtime: All of them.
        zoom_app_id: Of the app.
        pause: Sleeps so many seconds between two reads.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: Neither makes sense: routing direct, and not in Recall yet.
    """
    with runtime.database.reading() as session:
        zoom_app = apps.get(session, zoom_app_id)
        is_relay = zoom_app.routing is Routing.RELAY
        is_in_recall = zoom_app.recall_app_id is not None
    if not is_relay and not is_in_recall:
        raise ConflictError("This zoom app is not in Recall yet.")
    results = ProbeResults(
        self_test=public_url.probe(runtime, zoom_app_id, pause=pause)
        if is_relay
        else None,
        recall=probe_recall(runtime, zoom_app_id, pause=pause)
        if is_in_recall
        else None,
    )
    with runtime.database.writing() as session:
        schedule.record_probe(
            session, zoom_app_id, is_good=results.is_good, now=runtime.clock.now()
        )
    return results


def probe_recall(
    runtime: Runtime, zoom_app_id: UUID, *, pause: Pause = time.sleep
) -> Observation:
    """Send a signed validation request to Recall and store the result; commits.

    Recall's record is read before, since it may count our request as a validation, and
    afterwards, to see whether it does. All is stored as checks. UpstreamError is never
    raised: a failure is evidence too.

    Args:
        runtime: All of them.
        zoom_app_id: Of the app.
        pause: Sleeps so many seconds between two reads of Recall's record.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: It is not in Recall yet.
    """
    job = _open(runtime, zoom_app_id)
    before = recall_record.read(job.recall, job.recall_app_id)
    with runtime.database.writing() as session:
        now = runtime.clock.now()
        recall_record.store_record(session, zoom_app_id, before.seen, at=now)
    answers = _ask(job, now=now, before=before.seen, pause=pause)
    with runtime.database.writing() as session:
        store(session, zoom_app_id, answers, at=runtime.clock.now())
    return answers.challenge


def ask(
    runtime: Runtime,
    zoom_app_id: UUID,
    *,
    before: Observation,
    pause: Pause = time.sleep,
) -> Answers:
    """As `probe_recall`, but store nothing.

    Args:
        runtime: All of them.
        zoom_app_id: Of the app.
        before: What Recall's record said just before.
        pause: Sleeps so many seconds between two reads of Recall's record.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: It is not in Recall yet.
    """
    job = _open(runtime, zoom_app_id)
    return _ask(job, now=runtime.clock.now(), before=before, pause=pause)


def store(
    session: Session, zoom_app_id: UUID, answers: Answers, *, at: datetime
) -> None:
    """Add what Recall said to the evidence; the caller commits."""
    seen = answers.challenge
    evidence.record(
        session,
        zoom_app_id=zoom_app_id,
        source=Source.RECALL_PROBE,
        finding=seen.finding,
        detail=seen.detail,
        took_ms=seen.took_ms,
        at=at,
    )
    recall_record.store_record(session, zoom_app_id, answers.record.seen, at=at)


def _open(runtime: Runtime, zoom_app_id: UUID) -> _Job:
    vault = runtime.vault
    with runtime.database.reading() as session:
        zoom_app = apps.get(session, zoom_app_id)
        if zoom_app.recall_app_id is None or zoom_app.workspace_id is None:
            raise ConflictError("This zoom app is not in Recall yet.")
        workspace = workspaces.get(session, zoom_app.workspace_id)
        key = workspaces.api_key(vault, workspace)
        return _Job(
            recall_app_id=zoom_app.recall_app_id,
            base_url=urls.recall_base_url(runtime.settings, workspace.region),
            secret=apps.secret_token(vault, zoom_app),
            recall=runtime.recall(workspace.region, key),
        )


def _ask(job: _Job, *, now: datetime, before: Observation, pause: Pause) -> Answers:
    answered = _challenged(job, now=now)
    record = recall_record.read(job.recall, job.recall_app_id)
    reads = 1
    # Recall may record a correct answer a moment later.
    while (
        answered.finding is Finding.GOOD
        and record.is_answered
        and record.seen.told_at == before.told_at
        and reads < _READS
    ):
        pause(_PAUSE_S)
        record = recall_record.read(job.recall, job.recall_app_id)
        reads += 1
    return Answers(challenge=answered, record=record)


def _challenged(job: _Job, *, now: datetime) -> Observation:
    asked = signatures.validation_request(job.secret, now=now)
    began_s = time.perf_counter()
    try:
        answer = challenge(
            job.base_url,
            job.recall_app_id,
            body=asked.body,
            timestamp=asked.timestamp,
            signature=asked.signature,
        )
    except UpstreamError as error:
        return _failed(error)
    took_ms = (time.perf_counter() - began_s) * 1000
    if answer.plainToken == asked.plain and hmac.compare_digest(
        answer.encryptedToken.encode(), asked.answer["encryptedToken"].encode()
    ):
        return Observation(
            finding=Finding.GOOD,
            detail="Recall passed our test.",
            took_ms=took_ms,
        )
    return Observation(
        finding=Finding.SECRET_MISMATCH,
        detail="Recall answered our test with a different secret token.",
        took_ms=took_ms,
    )


def _failed(error: UpstreamError) -> Observation:
    if recall_record.is_gone(error):
        return Observation(finding=Finding.GONE, detail=recall_record.GONE)
    # Which of the two Recall answers is not published (docs/contracts/recall.md 3.8).
    is_forbidden = error.status == HTTPStatus.FORBIDDEN
    is_refused = is_forbidden and recall_record.is_recalls_own(error)
    if error.own_status == HTTPStatus.UNAUTHORIZED or is_refused:
        return Observation(
            finding=Finding.SECRET_MISMATCH,
            detail="Recall rejected the signature of our test: it has a different "
            "secret token.",
        )
    if error.own_status in MAYBE_SIGNATURE:
        return Observation(
            finding=Finding.SECRET_MISMATCH,
            detail=f"Recall rejected our test ({error.status}). {MAY_DIFFER}.",
        )
    return Observation(
        finding=Finding.FAILED,
        detail=f"Recall didn't answer our test correctly. {error}",
    )
