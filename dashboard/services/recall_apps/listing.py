"""Which apps a workspace has in Recall, and whose they are: read once, kept nowhere.

Source: docs/contracts/recall.md 3.2 and 3.3, checked 2026-11-23.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlmodel import Session, col, select

from dashboard.clients.recall.api import Recall
from dashboard.clients.recall.replies import RecallApp
from dashboard.errors import UpstreamError
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import Kind, ZoomApp
from dashboard.services.recall import workspaces
from dashboard.services.runtime import Runtime

_NOT_FOUND = 404
_ASKED_ABOUT = 20
"""Apps missing in the list that Recall is asked about one by one."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """An app in Recall.

    Attributes:
        own: The zoom app here that it belongs to.
        namesake: Another zoom app here with its client ID, which is not its own.
        twins: How many more apps with its client ID the workspace has.
    """

    app: RecallApp
    own: ZoomApp | None
    namesake: ZoomApp | None
    twins: int

    @property
    def may_be_taken(self) -> bool:
        """Whether it can become a zoom app here."""
        is_known = self.app.kind in set(Kind)
        return self.own is None and self.namesake is None and is_known


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What Recall said of a workspace's apps, once.

    Attributes:
        gone: Zoom apps here whose app Recall does not have any more.
        untold: Zoom apps here that Recall could not be asked about.
        error: Why there is no list; "" when there is.
    """

    workspace: Workspace
    read_at: datetime
    rows: Sequence[Listed] = ()
    gone: Sequence[ZoomApp] = ()
    untold: Sequence[ZoomApp] = ()
    error: str = ""


def listing(runtime: Runtime, workspace_id: UUID) -> Listing:
    """Ask Recall which apps the workspace has, and tell whose they are.

    Never raises for what Recall answers: that is said in the listing. One list, and a
    look at each of at most 20 that are stored here and missing in it.

    Raises:
        NotFoundError: There is no such workspace.
    """
    with runtime.database.reading() as session:
        workspace = workspaces.get(session, workspace_id)
        here = _with_recall_app(session, workspace_id)
    recall, read_at = workspaces.client(runtime, workspace), runtime.clock.now()
    try:
        there = recall.list_apps()
    except UpstreamError as error:
        return Listing(
            workspace=workspace, read_at=read_at, untold=here, error=str(error)
        )
    seen = {one.id for one in there}
    missing = [app for app in here if app.recall_app_id not in seen]
    gone, found, untold = _ask_about(recall, missing)
    there = [*there, *found]
    with runtime.database.reading() as session:
        rows = _rows(session, there)
    return Listing(
        workspace=workspace, read_at=read_at, rows=rows, gone=gone, untold=untold
    )


def _with_recall_app(session: Session, workspace_id: UUID) -> Sequence[ZoomApp]:
    query = select(ZoomApp).where(
        col(ZoomApp.workspace_id) == workspace_id,
        col(ZoomApp.recall_app_id).is_not(None),
    )
    return session.exec(query.order_by(col(ZoomApp.name))).all()


def _ask_about(
    recall: Recall, missing: Sequence[ZoomApp]
) -> tuple[list[ZoomApp], list[RecallApp], list[ZoomApp]]:
    """Tell the gone from those that the list was too short for, or unreadable."""
    gone: list[ZoomApp] = []
    found: list[RecallApp] = []
    untold = list(missing[_ASKED_ABOUT:])
    for app in missing[:_ASKED_ABOUT]:
        try:
            found.append(recall.get_app(cast("UUID", app.recall_app_id)))
        except UpstreamError as error:
            (gone if error.status == _NOT_FOUND else untold).append(app)
    return gone, found, untold


def _rows(session: Session, there: Sequence[RecallApp]) -> Sequence[Listed]:
    query = select(ZoomApp).where(
        col(ZoomApp.client_id).in_({one.client_id for one in there})
    )
    by_client = {app.client_id: app for app in session.exec(query)}
    query = select(ZoomApp).where(
        col(ZoomApp.recall_app_id).in_({one.id for one in there})
    )
    by_id = {app.recall_app_id: app for app in session.exec(query)}
    times = Counter(one.client_id for one in there)
    rows = []
    for one in there:
        own, namesake = by_id.get(one.id), by_client.get(one.client_id)
        rows.append(
            Listed(
                app=one,
                own=own,
                namesake=namesake if own is None else None,
                twins=times[one.client_id] - 1,
            )
        )
    return rows
