"""Tries each workspace's API key at Recall: daily, and at once when it was refused."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import col, select

from dashboard.db import leases
from dashboard.models.workspace import Workspace
from dashboard.services.facts.zoom_apps import ASKED_EVERY
from dashboard.services.recall import workspaces
from dashboard.services.runtime import Runtime

_AT_ONCE = 2
_LEASE = timedelta(minutes=5)
_SOON = timedelta(hours=1)


def run_due(runtime: Runtime) -> int:
    """Try the keys that are due; return how many; commits.

    For the worker, about once a second. Each is claimed, so many workers may run this.
    """
    now = runtime.clock.now()
    with runtime.database.reading() as session:
        ids = session.exec(
            select(Workspace.id)
            .where(leases.is_due(Workspace.key_due_at, now))
            .order_by(col(Workspace.key_due_at))
            .limit(_AT_ONCE)
        ).all()
    return sum(_run(runtime, workspace_id, now) for workspace_id in ids)


def _run(runtime: Runtime, workspace_id: UUID, now: datetime) -> bool:
    """Claim, try, set when it is tried next; commits."""
    with runtime.database.writing() as session:
        mine, until = col(Workspace.id) == workspace_id, now + _LEASE
        if not leases.claim_due(
            session, Workspace, mine, due="key_due_at", now=now, until=until
        ):
            return False
    workspaces.check_again(runtime.in_background(), workspace_id)
    with runtime.database.writing() as session:
        workspace = session.get_one(Workspace, workspace_id)
        seen_at = workspace.checked_at
        is_new = seen_at is not None and seen_at >= now
        workspace.key_due_at = now + (ASKED_EVERY if is_new else _SOON)
        session.add(workspace)
    return True
