"""Claims: which webhooks and resends a worker sends now, oldest first.

The rows are the queue. There are two: webhooks first, then redeliveries of resends with
what room is left. Each zoom app's rows are read separately, so a paused one with a long
queue delays no other.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Table, null, update
from sqlmodel import Session

from dashboard.services.relay import circuit
from dashboard.services.relay.queues import (
    DUE,
    DUE_BEFORE,
    DUE_NEWLY,
    REDELIVERY,
    WEBHOOK,
    Target,
    is_waiting,
    targets_of,
)
from dashboard.services.relay.sending import Delivery

LEASE = timedelta(seconds=30)
"""Longer than the longest delivery, which times out after 15 seconds."""

A_WORKSPACE = 256
"""In flight at once for a workspace, where there are few of them."""

_IN_ALL = 1024
_AT_LEAST = 8


def is_any_due(session: Session, *, now: datetime) -> bool:
    """Whether there may be something to claim; locks nothing."""
    return any(target.is_due(now) for target in targets_of(session))


def claim(
    session: Session,
    *,
    limit: int,
    now: datetime,
    worker: str,
    in_flight: Mapping[UUID, int] | None = None,
) -> list[Delivery]:
    """Claim what is due, oldest first; the caller commits, then sends.

    Only for zoom apps that are in Recall; the others wait until theirs is created. For
    what is paused, only a probe.

    Args:
        session: Writing. On PostgreSQL many workers may do this at once.
        limit: How many at most.
        now: Aware.
        worker: Who claims them, "host:process".
        in_flight: How many this worker is sending to each workspace.
    """
    targets = targets_of(session)
    workspaces = {target.workspace_id for target in targets}
    a_workspace = max(_AT_LEAST, min(A_WORKSPACE, _IN_ALL // max(len(workspaces), 1)))
    due = sorted(
        (target for target in targets if target.is_due(now)),
        key=lambda target: target.due_at or now,
    )
    by_workspace: defaultdict[UUID, list[Target]] = defaultdict(list)
    for target in due:
        by_workspace[target.workspace_id].append(target)
    claim = _Claim(session, now=now, worker=worker)
    for workspace_id, found in by_workspace.items():
        room = a_workspace - (in_flight or {}).get(workspace_id, 0)
        claim.of_workspace(found, limit=min(room, limit - len(claim.claimed)))
    claim.write_leases()
    return claim.claimed


def release_all(
    session: Session, *, now: datetime, queues: Iterable[Table] = (WEBHOOK, REDELIVERY)
) -> None:
    """End every lease; the caller commits. Only where no other worker can be.

    Claims stay as they are, so that a result of before still counts.
    """
    for queue in queues:
        session.connection().execute(
            update(queue)
            .where(is_waiting(queue), queue.c.lease_until.is_not(None))
            .values(lease_until=null(), due_at=now)
        )


class _Claim:
    """What one worker claims in one transaction.

    Attributes:
        claimed: So far.
    """

    def __init__(self, session: Session, *, now: datetime, worker: str) -> None:
        self.claimed: list[Delivery] = []
        self._session = session
        self._now = now
        self._worker = worker

    def of_workspace(self, targets: Sequence[Target], *, limit: int) -> None:
        """Claim a workspace's share: webhooks first, then resends.

        Args:
            targets: With something due, the oldest first.
            limit: How many at most.
        """
        probed: set[UUID] = set()
        for target in (each for each in targets if each.probes):
            if probed & target.probes:
                continue  # one probe at a time
            if self._probe(target):
                probed |= target.probes
        # The one with the oldest, and so perhaps the most, gets what is left.
        free = [each for each in reversed(targets) if not each.probes]
        for queue in (WEBHOOK, REDELIVERY):
            for left, target in zip(range(len(free), 0, -1), free, strict=True):
                # Each zoom app has its share, so one with a long queue delays no other.
                claimed = self._of_app(queue, target, limit=-(-max(limit, 0) // left))
                limit -= claimed

    def write_leases(self) -> None:
        """Write the leases: each row is due again when its lease ends.

        So the rows of a worker that died are claimed again.
        """
        until = self._now + LEASE
        ids = {
            WEBHOOK: [e.webhook_id for e in self.claimed if e.redelivery_id is None],
            REDELIVERY: [e.redelivery_id for e in self.claimed if e.redelivery_id],
        }
        for queue, rows in ids.items():
            if rows:
                self._session.connection().execute(
                    update(queue)
                    .where(queue.c.id.in_(rows))
                    .values(claim=queue.c.claim + 1, lease_until=until, due_at=until)
                )

    def _probe(self, target: Target) -> bool:
        is_free = circuit.claim_probes(
            self._session, target.probes, until=self._now + LEASE, now=self._now
        )
        if not is_free:
            return False
        # The probe is to find out whether Recall accepts the current secret token.
        if target.token_since is not None and not target.is_behind:
            for queue in (WEBHOOK, REDELIVERY):
                if self._of_app(queue, target, limit=1, due=DUE_NEWLY):
                    return True
        return any(
            self._of_app(queue, target, limit=1) for queue in (WEBHOOK, REDELIVERY)
        )

    def _of_app(
        self,
        queue: Table,
        target: Target,
        *,
        limit: int,
        due: Mapping[Table, Select[Any]] = DUE,
    ) -> int:
        due_at = target.webhook_due_at if queue is WEBHOOK else target.redelivery_due_at
        if limit <= 0 or due_at is None or due_at > self._now:
            return 0
        if target.is_behind:
            due = DUE_BEFORE
        values: dict[str, Any] = {
            "app_id": target.zoom_app_id,
            "now": self._now,
            "at_most": limit,
        }
        if due is not DUE:
            values["token_since"] = target.token_since
        rows = self._session.connection().execute(due[queue], values)
        fresh = [
            Delivery(
                webhook_id=webhook_id,
                redelivery_id=redelivery_id,
                claim=claim + 1,
                worker=self._worker,
                attempts=attempts,
                refused_at=refused_at,
                event=event,
                verdict=verdict,
                received_at=received_at,
                zoom_app_id=target.zoom_app_id,
                recall_app_id=target.recall_app_id,
                workspace_id=target.workspace_id,
                region=target.region,
                headers=headers,
                body=body,
                probes=target.probes,
            )
            for (
                webhook_id,
                redelivery_id,
                claim,
                attempts,
                refused_at,
                event,
                verdict,
                received_at,
                headers,
                body,
            ) in rows
        ]
        self.claimed += fresh
        return len(fresh)
