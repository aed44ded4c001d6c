"""Repairs after a wrong clock and after a restore.

A clock that was ahead leaves two kinds of times: due times that are not reached for
days, and times of things seen that lie in the future. Nothing waits longer than its
longest interval, so what is due later than that is due now. What is dated ahead of now
proves nothing: it is forgotten, or counts as seen at an unknown time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, case
from sqlmodel import Session, SQLModel, col, delete, func, or_, select, update

from dashboard.clock import SKEW
from dashboard.db import Database
from dashboard.db.statements import rows_changed
from dashboard.models.alert import (
    Alert,
    AlertChannel,
    AlertMessage,
    AlertRound,
    MessageOutcome,
)
from dashboard.models.audit import AuditStream
from dashboard.models.bot_test import BotTest
from dashboard.models.check import Check
from dashboard.models.circuit import OpenCircuit
from dashboard.models.connection import (
    AccountMember,
    ConnectAttempt,
    Connection,
    FormerEmail,
    MeetingMapping,
    TokenCause,
    TokenState,
)
from dashboard.models.delivery_log import DeliveryLog
from dashboard.models.domain import DomainProof
from dashboard.models.endpoint import DeliveryOutcome, Endpoint, EndpointDelivery
from dashboard.models.erasure import Erasure
from dashboard.models.held_grant import HeldGrant
from dashboard.models.ids import first_id
from dashboard.models.own_server import OwnCallback, OwnServer
from dashboard.models.resend import Redelivery, RedeliveryOutcome
from dashboard.models.staff import SpentProof, StaffLink, StaffSession, Throttle
from dashboard.models.user_mail import UserMail
from dashboard.models.watch import HeardHour, Milestone, ProbeSchedule
from dashboard.models.webhook import Outcome, Webhook
from dashboard.models.worker import WorkerHeartbeat
from dashboard.models.workspace import RatePause, Verdict, Workspace
from dashboard.models.zoom_app import SecretChange, ZoomApp
from dashboard.services.host import events
from dashboard.services.runtime import Runtime

_EVERY_S = 600.0
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_WORKED = [TokenState.HEALTHY, TokenState.EXPIRING]
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What becomes of rows one of whose times lies too far ahead.

    Attributes:
        column: The time.
        within: How far ahead of now it may lie.
        sets: What is set, times as `NOW` or `BEFORE`; None deletes the row.
        where: Which rows it is about.
    """

    model: type[SQLModel]
    column: str
    within: timedelta
    sets: Mapping[str, object] | None
    where: tuple[ColumnElement[bool], ...] = field(default=())

    def late(self, now: datetime) -> ColumnElement[bool]:
        """Return the condition of a time that lies too far ahead."""
        if self.column == "id":
            return col(getattr(self.model, "id")) >= first_id(now + self.within)  # noqa: B009 - of any model
        return col(getattr(self.model, self.column)) > now + self.within


NOW, BEFORE = timedelta(0), -timedelta(seconds=1)
"""Set a time to now, or to before all that is put right with it."""


def _due(
    model: type[SQLModel],
    column: str,
    within: timedelta,
    *where: ColumnElement[bool],
    to: object = NOW,
) -> Rule:
    return Rule(
        model=model, column=column, within=within, sets={column: to}, where=where
    )


def _seen(model: type[SQLModel], column: str, *, to: object = NOW) -> Rule:
    return Rule(model=model, column=column, within=SKEW, sets={column: to})


def _forgotten(model: type[SQLModel], column: str) -> Rule:
    return Rule(model=model, column=column, within=SKEW, sets=None)


RULES = (
    _due(Connection, "due_at", _DAY),
    _due(Connection, "lease_until", _HOUR, to=None),
    Rule(
        model=Connection,
        column="token_checked_at",
        within=SKEW,
        sets={"token_checked_at": None, "token_expires_at": None, "due_at": NOW},
    ),
    # What Zoom reports later than these counts; nothing does while they lie ahead.
    _seen(Connection, "pmi_seen_at", to=None),
    _seen(Connection, "profile_seen_at", to=None),
    _seen(Connection, "recall_seen_at", to=None),
    _seen(Connection, "recall_tried_at", to=None),
    _seen(Connection, "mappings_seen_at", to=None),
    _seen(Connection, "token_since"),
    _seen(Connection, "pmi_changed_at"),
    _seen(Connection, "recording_block_at"),
    _seen(Connection, "connected_at"),
    _seen(Connection, "reconnected_at"),
    _seen(MeetingMapping, "seen_at"),
    _seen(DeliveryLog, "tried_at"),
    _seen(OwnCallback, "tested_at"),
    _seen(OwnServer, "strangers_tested_at", to=None),
    _seen(DomainProof, "file_seen_at", to=None),
    _seen(DomainProof, "tag_seen_at", to=None),
    _seen(AccountMember, "seen_at"),
    _seen(FormerEmail, "until"),
    _due(ConnectAttempt, "expires_at", _HOUR),
    _due(Webhook, "due_at", _DAY, col(Webhook.outcome) == Outcome.WAITING),
    _due(
        Webhook,
        "lease_until",
        _HOUR,
        col(Webhook.outcome) == Outcome.WAITING,
        to=None,
    ),
    _due(
        Redelivery,
        "due_at",
        _DAY,
        col(Redelivery.outcome) == RedeliveryOutcome.WAITING,
    ),
    _due(
        Redelivery,
        "lease_until",
        _HOUR,
        col(Redelivery.outcome) == RedeliveryOutcome.WAITING,
        to=None,
    ),
    _due(
        EndpointDelivery,
        "due_at",
        _DAY,
        col(EndpointDelivery.outcome) == DeliveryOutcome.WAITING,
    ),
    _due(
        EndpointDelivery,
        "lease_until",
        _HOUR,
        col(EndpointDelivery.outcome) == DeliveryOutcome.WAITING,
        to=None,
    ),
    _seen(Endpoint, "failing_since"),
    _due(Endpoint, "previous_until", timedelta(days=2)),
    _due(OpenCircuit, "probe_at", _HOUR),
    _due(BotTest, "due_at", _HOUR),
    _seen(OpenCircuit, "since"),
    _forgotten(Check, "id"),
    _forgotten(Milestone, "at"),
    _forgotten(HeardHour, "hour"),
    _due(ProbeSchedule, "poll_due_at", _DAY),
    _due(ProbeSchedule, "log_due_at", _DAY),
    _due(ProbeSchedule, "probe_due_at", _DAY),
    _due(ProbeSchedule, "unhealthy_due_at", _DAY),
    _due(ProbeSchedule, "watched_until", _HOUR, to=None),
    _due(ProbeSchedule, "claimed_until", _HOUR, to=None),
    _seen(ProbeSchedule, "polled_at", to=None),
    _due(Erasure, "due_at", _DAY, col(Erasure.ended_at).is_(None)),
    _due(Erasure, "lease_until", _HOUR, to=None),
    # A token obtained ahead of now ended long ago, whatever its end says.
    Rule(
        model=HeldGrant,
        column="obtained_at",
        within=SKEW,
        sets={"obtained_at": NOW, "expires_at": NOW, "refresh_due_at": NOW},
    ),
    _due(HeldGrant, "refresh_due_at", timedelta(days=90)),
    _due(HeldGrant, "lease_until", _HOUR, to=None),
    _due(AuditStream, "lease_until", _HOUR, to=None),
    _due(
        AlertMessage,
        "due_at",
        _DAY,
        col(AlertMessage.outcome) == MessageOutcome.WAITING,
    ),
    _due(
        AlertMessage,
        "lease_until",
        _HOUR,
        col(AlertMessage.outcome) == MessageOutcome.WAITING,
        to=None,
    ),
    _due(
        UserMail,
        "due_at",
        timedelta(days=61),
        col(UserMail.outcome) == MessageOutcome.WAITING,
    ),
    _due(
        UserMail,
        "lease_until",
        _HOUR,
        col(UserMail.outcome) == MessageOutcome.WAITING,
        to=None,
    ),
    _seen(AlertMessage, "created_at"),
    _due(AlertRound, "due_at", _HOUR),
    _seen(AlertRound, "seen_at"),
    _seen(Alert, "opened_at"),
    _seen(Alert, "problem_at"),
    _seen(Alert, "seen_at"),
    _seen(Alert, "cleared_at", to=None),
    _seen(Alert, "resolved_at"),
    _seen(AlertChannel, "failing_since"),
    _due(RatePause, "until", _DAY),
    _due(Workspace, "mappings_due_at", _DAY),
    _seen(Workspace, "mappings_seen_at", to=None),
    _seen(Workspace, "mappings_read_at", to=None),
    # To count it as seen now would make it look like an answer of this minute.
    Rule(
        model=Workspace,
        column="checked_at",
        within=SKEW,
        sets={"checked_at": None, "key_due_at": NOW},
    ),
    _seen(Workspace, "verdict_since"),
    _due(Workspace, "key_due_at", _DAY),
    Rule(
        model=ZoomApp,
        column="checked_at",
        within=SKEW,
        sets={"checked_at": None, "pair_due_at": NOW},
    ),
    _seen(ZoomApp, "verdict_since"),
    _seen(ZoomApp, "pair_doubted_at"),
    _due(ZoomApp, "pair_due_at", _DAY),
    _seen(ZoomApp, "secret_token_set_at"),
    _seen(ZoomApp, "client_secret_set_at"),
    _seen(ZoomApp, "recall_created_at"),
    _seen(ZoomApp, "subscription_checked_at"),
    _due(ZoomApp, "rotation_until", _HOUR, to=None),
    _due(SecretChange, "recall_due_at", _DAY),
    _due(SecretChange, "previous_until", _DAY),
    _seen(SecretChange, "stored_at"),
    # What began to fail is put at now: what was sent before it must stay before it.
    _seen(SecretChange, "recall_at", to=BEFORE),
    Rule(
        model=Throttle,
        column="window_at",
        within=SKEW,
        sets={"window_at": NOW, "tries": 0},
    ),
    _seen(StaffSession, "created_at"),
    _seen(StaffSession, "last_used_at"),
    _seen(StaffSession, "proven_at", to=None),
    _due(StaffLink, "expires_at", timedelta(hours=25)),
    _due(SpentProof, "expires_at", _HOUR),
    _forgotten(WorkerHeartbeat, "at"),
)
"""Every time that decides something; tests/services/repair lists the others."""


class ClockWatch:
    """A chore of each process: notices that the clock was set, repairs what it left.

    Also at its start and every ten minutes: another host's clock may have been wrong.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._drift_s: float | None = None
        self._repaired_s: float | None = None

    def __call__(self) -> int:
        """Look at the clock; return how many rows were put right. Commits."""
        clock, database = self._runtime.clock, self._runtime.database
        drift_s, now = clock.drift_s(), clock.now()
        jump_s = 0.0 if self._drift_s is None else drift_s - self._drift_s
        if abs(jump_s) > SKEW.total_seconds():
            with database.writing() as session:
                events.record_jump(session, seconds=jump_s, now=now)  # once for all
            _log.warning("clock.jumped", seconds=round(jump_s, 1))
            self._repaired_s = None
        self._drift_s = drift_s
        elapsed_s = now.timestamp() - drift_s
        if self._repaired_s is not None and elapsed_s - self._repaired_s < _EVERY_S:
            return 0
        self._repaired_s = elapsed_s
        return put_right(database, now=now)


def put_right(database: Database, *, now: datetime) -> int:
    """Put right every time that lies too far ahead; return how many. Commits.

    Reads first: where nothing is wrong, nothing is locked.
    """
    changed = 0
    for rule in _late(database, now):
        with database.writing() as session:
            changed += _apply(session, rule, now)
    if changed:
        _log.warning("clock.times_put_right", rows=changed)
    return changed


def mark_restored(session: Session, *, now: datetime) -> None:
    """Make everything due and nothing green after a restore; the caller commits.

    Args:
        session: Writing, on the database as restored; nothing else uses it.
        now: Aware.
    """
    newest = [
        session.exec(select(func.max(column))).one()
        for column in (
            col(Webhook.received_at),
            col(Connection.token_checked_at),
            col(Check.at),
        )
    ]
    events.record_restore(
        session, about_at=max(filter(None, newest), default=None), now=now
    )
    words = f"the database was restored at {now:%Y-%m-%d %H:%M} UTC"
    last = f"when it was last checked, before {words}."
    has_worked = col(Connection.token_state).in_(_WORKED)
    session.exec(
        update(Connection).values(
            # No one is asked to act for what may have changed since the copy was made.
            token_state=TokenState.UNKNOWN,
            token_cause=TokenCause.NONE,
            token_since=now,
            token_reason=case(
                (has_worked, f"It worked {last}"), else_=f"It did not work {last}"
            ),
            token_evidence="",
            due_at=now,
            lease_until=None,
            claim=col(Connection.claim) + 1,
        )
    )
    session.exec(
        update(ProbeSchedule).values(
            poll_due_at=now,
            log_due_at=now,
            probe_due_at=now,
            unhealthy_due_at=now,
            claimed_until=None,
            claim=col(ProbeSchedule.claim) + 1,
        )
    )
    before = f"before {words}."
    session.exec(
        update(Workspace).values(
            mappings_due_at=now, mappings_seen_at=None, key_due_at=now
        )
    )
    session.exec(
        update(Workspace)
        .where(col(Workspace.verdict) == Verdict.RIGHT)
        .values(verdict=Verdict.UNKNOWN, verdict_reason=f"It was valid {before}")
    )
    session.exec(update(ZoomApp).values(pair_due_at=now))
    session.exec(
        update(ZoomApp)
        .where(col(ZoomApp.verdict) == Verdict.RIGHT)
        .values(
            verdict=Verdict.UNKNOWN,
            verdict_reason=f"They were right {before} Press Verify again.",
        )
    )


def _late(database: Database, now: datetime) -> list[Rule]:
    found = []
    with database.reading() as session:
        by_model: dict[type[SQLModel], list[Rule]] = {}
        for rule in RULES:
            by_model.setdefault(rule.model, []).append(rule)
        for model, rules in by_model.items():
            late = or_(*(rule.late(now) for rule in rules))
            if session.exec(select(model).where(late).limit(1)).first() is not None:
                found += rules
    return found


def _apply(session: Session, rule: Rule, now: datetime) -> int:
    where = (rule.late(now), *rule.where)
    if rule.sets is None:
        return rows_changed(session.exec(delete(rule.model).where(*where)))
    values: dict[str, Any] = {
        name: now + value if isinstance(value, timedelta) else value
        for name, value in rule.sets.items()
    }
    return rows_changed(session.exec(update(rule.model).where(*where).values(values)))
