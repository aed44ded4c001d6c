"""Zoom apps whose app was deleted in Recall: found, and released to create it again.

Source: docs/contracts/recall.md 3.3, checked 2026-11-23. Recall does not say what
happens to the credentials of a deleted app.
"""

from http import HTTPStatus
from uuid import UUID

from sqlmodel import col, update

from dashboard.clients.recall.api import Recall
from dashboard.db.statements import rows_changed
from dashboard.errors import ConflictError, UpstreamError
from dashboard.models.connection import Connection
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.recall import workspaces
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps


def release(runtime: Runtime, zoom_app_id: UUID, *, actor: Actor) -> None:
    """Forget the Recall ID of an app that Recall deleted, to create it again; commits.

    Recall is asked first, so an existing app is never forgotten. Webhooks wait until
    the app exists again; then its connections are checked.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: Recall has the app.
        UpstreamError: Recall didn't answer; nothing was changed.
    """
    with runtime.database.reading() as session:
        zoom_app = apps.get(session, zoom_app_id)
        recall_app_id, workspace_id = zoom_app.recall_app_id, zoom_app.workspace_id
        if recall_app_id is None or workspace_id is None:
            return
        workspace = workspaces.get(session, workspace_id)
    _require_deleted(workspaces.client(runtime, workspace), zoom_app, recall_app_id)
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        released = session.exec(
            update(ZoomApp)
            .where(
                col(ZoomApp.id) == zoom_app_id,
                col(ZoomApp.recall_app_id) == recall_app_id,
            )
            .values(
                recall_app_id=None,
                recall_created_at=None,
                create_key=None,
                version=col(ZoomApp.version) + 1,
            )
        )
        if rows_changed(released) != 1:
            return
        session.exec(
            update(Connection)
            .where(col(Connection.zoom_app_id) == zoom_app_id)
            # What was seen of their credentials is of the app that is gone.
            .values(due_at=now, token_checked_at=None, token_expires_at=None)
        )
        subject = f"{apps.full_name(zoom_app)}: {recall_app_id}"
        audit.record(
            session, actor, "zoom_app.gone_from_recall", subject=subject, now=now
        )


def _require_deleted(recall: Recall, zoom_app: ZoomApp, recall_app_id: UUID) -> None:
    try:
        recall.get_app(recall_app_id)
    except UpstreamError as error:
        if error.own_status != HTTPStatus.NOT_FOUND:
            raise
        # A wrong host answers 404 as well: the list must answer, and be without it.
        there = recall.list_apps(client_id=zoom_app.client_id).whole()
        if recall_app_id not in {one.id for one in there}:
            return
    raise ConflictError("Recall still has this app, so nothing was changed.")
