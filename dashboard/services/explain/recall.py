"""What Recall itself says right now, asked only when somebody wants it.

Sources: docs/contracts/recall.md 3.6 and 3.7; checked 2026-11-25. The look-ups spend
from the workspace's budgets as every call does.
"""

from uuid import UUID

from sqlmodel import Session, col, select

from dashboard.clients.recall.api import Recall
from dashboard.clients.recall.replies import Mapping
from dashboard.errors import UpstreamError
from dashboard.formatting import grouped
from dashboard.models.connection import Connection
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.explain.verdicts import RECALL, Line, at_connection, person
from dashboard.services.recall import workspaces
from dashboard.services.runtime import Runtime

_WORKSPACES = 5
_LINES = 5


def ask(
    runtime: Runtime, *, meeting_id: int | None, connection_id: UUID | None
) -> list[Line]:
    """Ask Recall to whom it maps a meeting, and for the log of a credential.

    What cannot be asked is a line as well. No transaction is open meanwhile.

    Args:
        runtime: Its clients spend from the budgets.
        meeting_id: A meeting number, or None.
        connection_id: Whose credential's log to read; None for nobody's. Only its
            workspace is asked then, else the newest few.
    """
    with runtime.database.reading() as session:
        row = session.get(Connection, connection_id) if connection_id else None
        asked = _clients(runtime, session, row)
    lines: list[Line] = []
    for name, recall in asked:
        if meeting_id is not None:
            lines += _mapped(runtime, name, recall, meeting_id)
    if row is not None and row.recall_credential_id is not None and asked:
        lines += _log(runtime, asked[0][1], row, row.recall_credential_id)
    return lines


def _clients(
    runtime: Runtime, session: Session, row: Connection | None
) -> list[tuple[str, Recall]]:
    query = select(Workspace).order_by(col(Workspace.created_at).desc())
    if row is not None:
        app = session.get_one(ZoomApp, row.zoom_app_id)
        query = query.where(col(Workspace.id) == app.workspace_id)
    return [
        (
            each.name,
            runtime.recall(each.region, workspaces.api_key(runtime.vault, each)),
        )
        for each in session.exec(query.limit(_WORKSPACES))
    ]


def _mapped(runtime: Runtime, name: str, recall: Recall, meeting_id: int) -> list[Line]:
    now = runtime.clock.now()
    meeting = f"meeting {grouped(meeting_id)}"
    try:
        found = recall.mappings(meeting_id=meeting_id, limit=_LINES)
    except UpstreamError as error:
        words = f"{name} could not be asked about {meeting}. {error.message()}"
        return [Line(at=now, source=RECALL, words=words)]
    if not found:
        words = f"{name} maps {meeting} to no credential, asked just now."
        return [Line(at=now, source=RECALL, words=words)]
    with runtime.database.reading() as session:
        return [_line(session, name, meeting, mapping) for mapping in found]


def _line(session: Session, name: str, meeting: str, mapping: Mapping) -> Line:
    query = select(Connection).where(
        col(Connection.recall_credential_id) == mapping.credential
    )
    row = session.exec(query).first()
    begin = f"{name} maps {meeting} to credential {mapping.credential}"
    if row is None:
        words = f"{begin}, which is no connection known here; asked just now."
        return Line(at=mapping.synced_at, source=RECALL, words=words)
    words = f"{begin}, of {person(row)}; asked just now."
    return at_connection(row, mapping.synced_at, RECALL, words)


def _log(
    runtime: Runtime, recall: Recall, row: Connection, credential_id: UUID
) -> list[Line]:
    now = runtime.clock.now()
    try:
        noted = recall.credential_logs(credential_id)
    except UpstreamError as error:
        words = f"Recall's log of the credential could not be read. {error.message()}"
        return [Line(at=now, source=RECALL, words=words)]
    noted = sorted(noted, key=lambda entry: entry.created_at, reverse=True)[:_LINES]
    if not noted:
        words = "Recall's log of the credential is empty."
        return [Line(at=now, source=RECALL, words=words)]
    return [
        at_connection(row, entry.created_at, RECALL, f"Recall's log: {entry.message}")
        for entry in noted
    ]
