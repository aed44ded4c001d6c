"""When the dashboard looks at which zoom app by itself: the rows of `ProbeSchedule`.

A look is a claim: claim, commit, ask, write back if the claim still holds. So two
workers never look at one app at once, and a late one changes nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, literal
from sqlmodel import Session, and_, col, or_, select

from dashboard.db import Database, leases
from dashboard.db.columns import UtcDateTime
from dashboard.db.statements import insert
from dashboard.models.watch import ProbeSchedule
from dashboard.models.zoom_app import Routing, ZoomApp

OPEN_FOR = timedelta(seconds=30)
"""How long a page counts as open after it last said so."""

LEASE = timedelta(minutes=2)
"""Longer than all calls of a round can take with their time-outs."""

PROBED_DAILY = timedelta(days=1)
PROBED_IN_TROUBLE = timedelta(minutes=15)
PROBED_WHILE_OPEN = timedelta(minutes=1)
_DAILY_PROBES_WITHIN_S = 3600


@dataclass(frozen=True, kw_only=True)
class ProbeClaim:
    """A claim on one zoom app, and what is due.

    Attributes:
        claim: The number that this claim has.
    """

    zoom_app_id: UUID
    workspace_id: UUID | None
    claim: int
    is_poll_due: bool
    is_log_due: bool
    is_probe_due: bool


def record_open_pages(
    session: Session, zoom_app_ids: Collection[UUID], *, now: datetime
) -> None:
    """Record that these apps' pages are open; the caller commits.

    Their Recall record and log are read at once when the page was just opened, and
    often while it stays open. Call it about every ten seconds. One statement; unknown
    and retired apps are skipped.
    """
    if not zoom_app_ids:
        return
    is_news = or_(
        col(ProbeSchedule.watched_until).is_(None),
        col(ProbeSchedule.watched_until) <= literal(now),
    )
    soon = {
        name: case((and_(is_news, column > now), now), else_=column)
        for name, column in (
            ("poll_due_at", col(ProbeSchedule.poll_due_at)),
            ("log_due_at", col(ProbeSchedule.log_due_at)),
        )
    }
    _put(
        session,
        zoom_app_ids,
        now,
        watched_until=now + OPEN_FOR,
        otherwise={"watched_until": now + OPEN_FOR, **soon},
    )


def make_due(session: Session, zoom_app_id: UUID, *, now: datetime) -> None:
    """Make all checks of a zoom app due because it changed; the caller commits.

    A round under way is dropped: it saw the app as it was.
    """
    _put(
        session,
        [zoom_app_id],
        now,
        otherwise={
            "poll_due_at": now,
            "log_due_at": now,
            "probe_due_at": now,
            "failures": 0,
            "claimed_until": None,
            "claim": col(ProbeSchedule.claim) + 1,
        },
    )


def record_probe(
    session: Session, zoom_app_id: UUID, *, is_good: bool, now: datetime
) -> None:
    """Record that both tests ran just now; the caller commits."""
    row = session.get(ProbeSchedule, zoom_app_id)
    if row is not None:
        plan_next_probe(row, is_good=is_good, now=now)
        session.add(row)


def plan_next_probe(row: ProbeSchedule, *, is_good: bool, now: datetime) -> None:
    """Set when the tests run next, given their results."""
    if is_good:
        spread = _spread(row.zoom_app_id, _DAILY_PROBES_WITHIN_S)
        row.probe_due_at = now + PROBED_DAILY - spread
    elif is_page_open(row, now):
        row.probe_due_at = now + PROBED_WHILE_OPEN
    else:
        row.probe_due_at = now + PROBED_IN_TROUBLE


def is_page_open(row: ProbeSchedule, now: datetime) -> bool:
    """Whether its page is open in some browser."""
    return row.watched_until is not None and row.watched_until > now


def claim_due(  # noqa: PLR0913 - what a claim depends on, all named
    database: Database,
    *,
    now: datetime,
    limit: int,
    busy: Mapping[UUID | None, int],
    a_workspace: int,
    spared: Collection[UUID] = (),
) -> list[ProbeClaim]:
    """Claim zoom apps of which something is due, the longest due first; commits.

    Costs one query when nothing is.

    Args:
        database: Many workers may do this at once.
        now: Aware.
        limit: How many at most.
        busy: How many are being checked in each workspace.
        a_workspace: How many may be at once.
        spared: Workspaces to leave alone.
    """
    with database.reading() as session:
        due = _due(session, now)
    room = dict(busy)
    wanted = []
    for zoom_app_id, workspace_id in due:
        if workspace_id in spared or room.get(workspace_id, 0) >= a_workspace:
            continue
        room[workspace_id] = room.get(workspace_id, 0) + 1
        wanted.append((zoom_app_id, workspace_id))
    if not wanted[:limit]:
        return []
    with database.writing() as session:
        _put(session, [zoom_app_id for zoom_app_id, _ in wanted[:limit]], now)
        found = [_claim(session, *each, now=now) for each in wanted[:limit]]
        return [claimed for claimed in found if claimed is not None]


def still_claimed(session: Session, claimed: ProbeClaim) -> ProbeSchedule | None:
    """Return the row if nobody has claimed or hastened it since."""
    is_it = col(ProbeSchedule.zoom_app_id) == claimed.zoom_app_id
    return leases.held(session, ProbeSchedule, is_it, claim=claimed.claim)


def _due(session: Session, now: datetime) -> Sequence[tuple[UUID, UUID | None]]:
    """Return (zoom app, workspace) of those not yet watched and those due."""
    query = (
        select(ZoomApp.id, ZoomApp.workspace_id)
        .join(
            ProbeSchedule,
            col(ProbeSchedule.zoom_app_id) == col(ZoomApp.id),
            isouter=True,
        )
        .where(
            col(ZoomApp.retired_at).is_(None),
            # With routing relay our own address can be tried before Recall has the app.
            or_(
                col(ZoomApp.recall_app_id).is_not(None),
                col(ZoomApp.routing) == Routing.RELAY,
            ),
            or_(
                col(ProbeSchedule.zoom_app_id).is_(None),
                and_(_is_free(now), _is_due(now)),
            ),
        )
        .order_by(col(ProbeSchedule.poll_due_at))
    )
    return session.exec(query).all()


def _claim(
    session: Session, zoom_app_id: UUID, workspace_id: UUID | None, *, now: datetime
) -> ProbeClaim | None:
    is_it = col(ProbeSchedule.zoom_app_id) == zoom_app_id, _is_due(now)
    if not leases.claim(
        session,
        ProbeSchedule,
        *is_it,
        until=now + LEASE,
        now=now,
        lease="claimed_until",
    ):
        return None
    row = session.get_one(ProbeSchedule, zoom_app_id)
    return ProbeClaim(
        zoom_app_id=zoom_app_id,
        workspace_id=workspace_id,
        claim=row.claim,
        is_poll_due=row.poll_due_at <= now,
        is_log_due=row.log_due_at <= now,
        is_probe_due=row.probe_due_at <= now,
    )


def _is_due(now: datetime) -> ColumnElement[bool]:
    return or_(
        col(ProbeSchedule.poll_due_at) <= now,
        col(ProbeSchedule.log_due_at) <= now,
        col(ProbeSchedule.probe_due_at) <= now,
    )


def _is_free(now: datetime) -> ColumnElement[bool]:
    return leases.is_free(ProbeSchedule.claimed_until, now)


def _put(
    session: Session,
    zoom_app_ids: Collection[UUID],
    now: datetime,
    *,
    watched_until: datetime | None = None,
    otherwise: Mapping[str, Any] | None = None,
) -> None:
    """Insert the missing rows; update the others with `otherwise`."""
    due, until = literal(now, UtcDateTime), literal(watched_until, UtcDateTime)
    values = {
        "zoom_app_id": col(ZoomApp.id),
        "watched_until": until,
        "poll_due_at": due,
        "log_due_at": due,
        "probe_due_at": due,
        "failures": literal(0),
        "claim": literal(0),
    }
    rows = select(*values.values()).where(
        col(ZoomApp.id).in_(list(zoom_app_ids)), col(ZoomApp.retired_at).is_(None)
    )
    made = insert(session, ProbeSchedule).from_select(list(values), rows)
    if otherwise is None:
        made = made.on_conflict_do_nothing()
    else:
        made = made.on_conflict_do_update(
            index_elements=["zoom_app_id"], set_=dict(otherwise)
        )
    session.connection().execute(made)


def _spread(zoom_app_id: UUID, within_s: int) -> timedelta:
    """Return a fixed part of it for each app, so that not all run at once."""
    return timedelta(seconds=zoom_app_id.int % within_s)
