"""What an admin sees of the rate budgets: who asked Recall how often, just now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from dashboard.models.workspace import Workspace
from dashboard.services.recall import budget_counts
from dashboard.services.recall.budget_counts import Use
from dashboard.services.recall.budget_words import NAMES
from dashboard.services.recall.budgets import background_limit, is_full, scope_of

_PERCENT = 100


@dataclass(frozen=True, kw_only=True)
class BudgetRow:
    """One operation of one workspace that was asked for in the last minute.

    Attributes:
        name: The operation as a title.
        limit: Calls a minute that Recall takes.
        background: At how many of them background work stops.
        percent: Used of the limit, 0 to 100.
        tone: good; waiting when background work waits; trouble when people do too.
        said_at: When Recall answered 429, while it is waited for; aware.
        until: How long it is.
    """

    name: str
    used: int
    limit: int
    background: int
    percent: int
    tone: str
    said_at: datetime | None
    until: datetime | None


@dataclass(frozen=True, kw_only=True)
class WorkspaceBudgets:
    """A workspace with what it asked, the most used first; nothing is no rows."""

    workspace: Workspace
    rows: Sequence[BudgetRow]


def budgets_of(
    session: Session, workspaces: Sequence[Workspace], *, now: datetime
) -> list[WorkspaceBudgets]:
    """Return what each workspace asked of Recall in the last minute.

    Args:
        session: Reading.
        workspaces: In the order to show them.
        now: Aware.
    """
    scopes = {one.id: scope_of(one.region, one.api_key_print) for one in workspaces}
    found = budget_counts.uses(session, now=now, scopes=list(scopes.values()))
    return [
        WorkspaceBudgets(
            workspace=one, rows=[_row(use) for use in found.get(scopes[one.id], [])]
        )
        for one in workspaces
    ]


def _row(use: Use) -> BudgetRow:
    limit = use.operation.a_minute
    return BudgetRow(
        name=NAMES[use.operation],
        used=use.used,
        limit=limit,
        background=background_limit(use.operation),
        percent=min(_PERCENT, round(_PERCENT * use.used / limit)),
        tone=_tone(use),
        said_at=use.said_at,
        until=use.until,
    )


def _tone(use: Use) -> str:
    if use.until is not None or use.used >= use.operation.a_minute:
        return "trouble"
    return "waiting" if is_full(use) else "good"
