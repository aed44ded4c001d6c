"""Scheduled checks of each zoom app: Recall's record, its log, and both tests.

Run by the worker: a few apps at a time, each in a thread of its own, so that a hanging
Recall delays neither the others nor the worker. No transaction is open during a call,
and each answer is written at once. A round whose claim was lost writes nothing: a later
round has checked the app. `validation.schedule` says when.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import SecretStr
from sqlmodel import Session

from dashboard.clients.recall.api import Recall
from dashboard.clients.recall.operations import Operation
from dashboard.errors import UpstreamError
from dashboard.models.check import Finding
from dashboard.models.watch import ProbeSchedule
from dashboard.models.zoom_app import Routing
from dashboard.services.probes import public_url, recall_record, recall_webhook
from dashboard.services.probes.public_url import Pause
from dashboard.services.recall import rate_limits, workspaces
from dashboard.services.runtime import Runtime
from dashboard.services.validation import evidence, schedule
from dashboard.services.validation.evidence import Observation, State
from dashboard.services.validation.schedule import ProbeClaim
from dashboard.services.zoom_apps import apps
from dashboard.threads import WorkerThreads

BRISK = timedelta(seconds=4)
"""While the page is open and Recall's status is not valid."""

STEADY = timedelta(seconds=30)
"""While the page is open and Recall's status is valid."""

CALM = timedelta(minutes=5)
QUIET = timedelta(hours=1)
"""After so long without anything that came in from outside, the public URL is tested:
a tunnel or proxy that died is silent too."""

LOG_CALM = timedelta(minutes=10)
LOG_STEADY = timedelta(minutes=1)
_LONGEST = timedelta(minutes=40)
_LONGEST_OPEN = timedelta(minutes=1)

Change = Callable[[Session, ProbeSchedule], None]


@dataclass(frozen=True, kw_only=True)
class _Subject:
    """What a round checks.

    Attributes:
        recall: None while the app is not in Recall.
        secrets: What must not appear in any stored text.
    """

    is_relay: bool
    recall: Recall | None
    recall_app_id: UUID | None
    secrets: list[SecretStr]


class ProbeRound:
    """One claimed round of checks of one zoom app.

    Args:
        runtime: All of them.
        claimed: The claim.
        pause: Sleeps so many seconds between two reads of one thing.
        is_over: Set when nothing may be written any more.
    """

    def __init__(
        self,
        runtime: Runtime,
        claimed: ProbeClaim,
        *,
        pause: Pause,
        is_over: threading.Event,
    ) -> None:
        self._runtime = runtime
        self._claimed = claimed
        self._pause = pause
        self._is_over = is_over
        self._record: Observation | None = None

    def run(self) -> None:
        """Check what is due, one after the other, and release the claim; commits.

        Raises:
            DashboardError: The database, the vault or the app has a problem.
        """
        subject = _open(self._runtime, self._claimed)
        steps = self._steps(subject)
        for number, step in enumerate(steps, 1):
            change = step(subject)
            if not self._write(change, is_last=number == len(steps)):
                return

    def _steps(self, subject: _Subject) -> list[Callable[[_Subject], Change]]:
        claimed = self._claimed
        if subject.recall is None:
            return [self._probe if claimed.is_probe_due else self._rest]
        steps: list[Callable[[_Subject], Change]] = []
        # Recall may count our test as a validation, so its record is read before.
        if claimed.is_poll_due or claimed.is_probe_due:
            steps.append(self._poll)
        if claimed.is_probe_due:
            steps.append(self._probe)
        elif claimed.is_poll_due and subject.is_relay and self._is_quiet():
            steps.append(self._self_test)
        if claimed.is_log_due:
            steps.append(self._read_log)
        return steps or [lambda _: lambda _session, _row: None]

    def _write(self, change: Change, *, is_last: bool) -> bool:
        """Write what a step found; False when the claim is lost."""
        if self._is_over.is_set():
            return False
        with self._runtime.database.writing() as session:
            row = schedule.still_claimed(session, self._claimed)
            if row is None:
                return False
            change(session, row)
            if is_last:
                row.claimed_until = None
            session.add(row)
        return True

    def _now(self) -> datetime:
        return self._runtime.clock.now()

    def _rest(self, _: _Subject) -> Change:
        """Not in Recall: there is nothing to check."""

        def change(_: Session, row: ProbeSchedule) -> None:
            row.poll_due_at = row.log_due_at = self._now() + CALM

        return change

    def _poll(self, subject: _Subject) -> Change:
        recall, recall_app_id = _there(subject)
        read = recall_record.read(recall, recall_app_id)
        self._record = read.seen

        def change(session: Session, row: ProbeSchedule) -> None:
            now = self._now()
            recall_record.store_record(session, row.zoom_app_id, read.seen, at=now)
            seen = evidence.evidence(session, row.zoom_app_id, now=now)
            is_settled = evidence.recall_status(seen, now).state is State.VALID
            row.polled_at = now
            row.failures = 0 if read.is_answered else row.failures + 1
            wait = timedelta(seconds=read.wait_s or 0)
            row.poll_due_at = now + max(wait, _next_poll(row, now, is_settled))
            if schedule.is_page_open(row, now) and not is_settled:
                # Someone has the page open: don't wait for the slow schedule.
                soon = now + schedule.PROBED_WHILE_OPEN
                row.probe_due_at = min(row.probe_due_at, soon)

        return change

    def _probe(self, subject: _Subject) -> Change:
        ours, answers = None, None
        if subject.is_relay:
            ours = public_url.ask(
                self._runtime, self._claimed.zoom_app_id, pause=self._pause
            )
        if self._record is not None and not self._is_over.is_set():
            answers = recall_webhook.ask(
                self._runtime,
                self._claimed.zoom_app_id,
                before=self._record,
                pause=self._pause,
            )

        def change(session: Session, row: ProbeSchedule) -> None:
            now = self._now()
            if ours is not None:
                public_url.store(session, row.zoom_app_id, ours, at=now)
            if answers is not None:
                recall_webhook.store(session, row.zoom_app_id, answers, at=now)
            told = [ours, answers.challenge if answers else None]
            is_good = all(
                seen.finding is Finding.GOOD for seen in told if seen is not None
            )
            schedule.plan_next_probe(row, is_good=is_good, now=now)
            if subject.recall is None:
                row.poll_due_at = row.log_due_at = now + CALM

        return change

    def _is_quiet(self) -> bool:
        """Whether what proves that the public URL is reachable is an hour old."""
        now = self._now()
        with self._runtime.database.reading() as session:
            seen = evidence.evidence(session, self._claimed.zoom_app_id, now=now)
        if seen.good_challenge is None:
            return False
        tests = (seen.challenge, seen.self_test)
        heard = [seen.event_at, *(test.at for test in tests if test is not None)]
        return all(at is None or now - at >= QUIET for at in heard)

    def _self_test(self, _: _Subject) -> Change:
        """Test the public URL alone: unlike the test of Recall, that costs no call."""
        ours = public_url.ask(
            self._runtime, self._claimed.zoom_app_id, pause=self._pause
        )

        def change(session: Session, row: ProbeSchedule) -> None:
            now = self._now()
            public_url.store(session, row.zoom_app_id, ours, at=now)
            if ours.finding is not Finding.GOOD:
                schedule.plan_next_probe(row, is_good=False, now=now)

        return change

    def _read_log(self, subject: _Subject) -> Change:
        recall, recall_app_id = _there(subject)
        wait, entries = timedelta(), None
        try:
            entries = recall.app_logs(recall_app_id).results
        except UpstreamError as error:
            wait = timedelta(seconds=error.retry_after_s or 0)

        def change(session: Session, row: ProbeSchedule) -> None:
            now = self._now()
            if entries is not None:
                recall_record.store_log(
                    session, row, entries, secrets=subject.secrets, now=now
                )
            every = LOG_STEADY if schedule.is_page_open(row, now) else LOG_CALM
            row.log_due_at = now + max(wait, every)

        return change


def _next_poll(row: ProbeSchedule, now: datetime, is_settled: bool) -> timedelta:  # noqa: FBT001 - the rule's three facts
    is_open = schedule.is_page_open(row, now)
    every = CALM
    if is_open:
        every = STEADY if is_settled else BRISK
    longest = _LONGEST_OPEN if is_open else _LONGEST
    return min(every * (1 << min(row.failures, 10)), longest)


def _open(runtime: Runtime, claimed: ProbeClaim) -> _Subject:
    vault = runtime.vault
    with runtime.database.reading() as session:
        app = apps.get(session, claimed.zoom_app_id)
        secrets = [each.secret for each in apps.secret_tokens(vault, app)]
        secrets.append(apps.client_secret(vault, app))
        recall = None
        if app.recall_app_id is not None and app.workspace_id is not None:
            workspace = workspaces.get(session, app.workspace_id)
            key = workspaces.api_key(vault, workspace)
            secrets.append(key)
            recall = runtime.recall(workspace.region, key)
        return _Subject(
            is_relay=app.routing is Routing.RELAY,
            recall=recall,
            recall_app_id=app.recall_app_id,
            secrets=secrets,
        )


def _there(subject: _Subject) -> tuple[Recall, UUID]:
    if subject.recall is None or subject.recall_app_id is None:
        raise TypeError("asked for by `_steps` only when the app is in Recall")
    return subject.recall, subject.recall_app_id


_AT_ONCE = 8
_A_WORKSPACE = 3
_PATIENCE_S = 1.0
_LONG_S = 120.0


def run_due(runtime: Runtime, *, pause: Pause = time.sleep) -> int:
    """Check everything that is due, to the end; return how many apps. Commits.

    Args:
        runtime: All of them.
        pause: Sleeps so many seconds between two reads of one thing.
    """
    return ProbeScheduler(runtime, patience_s=_LONG_S, pause=pause)()


class ProbeScheduler:
    """Starts the rounds that are due, and does not wait long for their end.

    Args:
        runtime: Its calls to Recall yield to people.
        patience_s: How long a call waits for the rounds it started, in seconds.
        pause: Sleeps so many seconds between two reads of one thing.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        patience_s: float = _PATIENCE_S,
        pause: Pause = time.sleep,
    ) -> None:
        self._runtime = runtime.in_background()
        self._patience_s = patience_s
        self._pause = pause
        self._threads = WorkerThreads[UUID | None]("watch", at_once=_AT_ONCE)

    def __call__(self) -> int:
        """Start what is due and there is room for; return how many rounds."""
        room = self._threads.room
        if not room:
            return 0
        now = self._runtime.clock.now()
        database = self._runtime.database
        with database.reading() as session:
            spared = rate_limits.without_room(
                session, [Operation.APPS_RETRIEVE], now=now
            )
        claimed = schedule.claim_due(
            database,
            now=now,
            limit=room,
            busy=self._threads.counts(),
            a_workspace=_A_WORKSPACE,
            spared=spared,
        )
        threads = [self._begin(each) for each in claimed]
        self._threads.wait(self._patience_s, threads)
        return len(threads)

    def close(self) -> None:
        """Start no more; rounds under way write nothing any more."""
        self._threads.close()

    def _begin(self, claimed: ProbeClaim) -> threading.Thread:
        look = ProbeRound(
            self._runtime, claimed, pause=self._pause, is_over=self._threads.is_over
        )
        return self._threads.begin(
            claimed.workspace_id, look.run, about=claimed.zoom_app_id
        )
