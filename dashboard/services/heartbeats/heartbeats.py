"""Heartbeats of the background workers, and what their absence means."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, delete, or_, select

from dashboard.clock import SKEW
from dashboard.db.statements import insert
from dashboard.models.worker import WorkerHeartbeat

EVERY_S = 15.0
SILENT_AFTER = timedelta(minutes=1)
_KEPT = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class WorkerStatus:
    """Whether anything works in the background.

    Attributes:
        is_alive: Whether one has reported within a minute.
        last_at: When one reported last; None when none has, or all stopped cleanly.
        command: What an operator starts.
        now: When this was decided.
    """

    is_alive: bool
    last_at: datetime | None
    command: str
    now: datetime

    @property
    def sentence(self) -> str:
        """What is wrong; "" while one is alive."""
        if self.is_alive:
            return ""
        if self.last_at is None:
            return "No background worker is running."
        return (
            "The background worker has not reported since "
            f"{_moment(self.last_at, self.now)}."
        )

    @property
    def step(self) -> str:
        """Who does what about it; "" while one is alive."""
        return "" if self.is_alive else f"An operator starts `{self.command}`."

    @property
    def order(self) -> str:
        """The same to the operator; "" while one is alive."""
        return "" if self.is_alive else f"Start `{self.command}`."

    @property
    def warning(self) -> str:
        """Both; "" while one is alive."""
        return f"{self.sentence} {self.step}".strip()

    def about_waiting(self, tried_at: datetime | None) -> str:
        """Say when what waits was tried last, and why it isn't now.

        Args:
            tried_at: None when it never was.
        """
        tried = "Not tried yet."
        if tried_at is not None:
            tried = f"The last try was at {_moment(tried_at, self.now)}."
        return f"{tried} {self.warning}".strip()


def beat(
    session: Session, name: str, *, started_at: datetime, version: str, now: datetime
) -> None:
    """Store that a worker works, and forget those of more than a day ago.

    The caller commits.
    """
    values = {"at": now, "started_at": started_at, "version": version}
    statement = insert(session, WorkerHeartbeat).values(name=name, **values)
    session.exec(
        statement.on_conflict_do_update(
            index_elements=[col(WorkerHeartbeat.name)], set_=values
        )
    )
    reported_at = col(WorkerHeartbeat.at)
    of_no_use = or_(reported_at < now - _KEPT, reported_at > now + _KEPT)
    session.exec(delete(WorkerHeartbeat).where(of_no_use))


def end(session: Session, name: str) -> None:
    """Forget a worker that stops cleanly; the caller commits."""
    session.exec(delete(WorkerHeartbeat).where(col(WorkerHeartbeat.name) == name))


def find(session: Session, *, now: datetime) -> WorkerStatus:
    """Return whether a worker is alive; one statement, however many rows a page has.

    Args:
        session: Reading.
        now: Aware. A heartbeat from after it, beyond the usual skew, proves nothing.
    """
    query = (
        select(WorkerHeartbeat.at)
        .where(col(WorkerHeartbeat.at) <= now + SKEW)
        .order_by(col(WorkerHeartbeat.at).desc())
        .limit(1)
    )
    last_at = session.exec(query).first()
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    return WorkerStatus(
        is_alive=last_at is not None and now - last_at <= SILENT_AFTER,
        last_at=last_at,
        command="dashboard serve" if is_sqlite else "dashboard worker",
        now=now,
    )


def ahead(session: Session, *, now: datetime) -> Sequence[str]:
    """Return the workers whose clocks are ahead of ours."""
    late = col(WorkerHeartbeat.at) > now + SKEW
    query = select(WorkerHeartbeat.name).where(late).order_by(col(WorkerHeartbeat.name))
    return session.exec(query.limit(5)).all()


def _moment(at: datetime, now: datetime) -> str:
    day = "" if at.date() == now.date() else f"{at:%Y-%m-%d} "
    return f"{day}{at:%H:%M} UTC"
