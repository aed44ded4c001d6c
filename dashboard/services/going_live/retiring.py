"""The end of a development app whose users have moved on; it can be taken back."""

from uuid import UUID

from sqlmodel import col, update

from dashboard.db.statements import rows_changed
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.going_live.starting import require_development
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps, succession
from dashboard.services.zoom_apps.apps import full_name


def retire(runtime: Runtime, development_id: UUID, *, actor: Actor) -> bool:
    """Stop watching a development app; commits. Tell whether it was in use.

    No alarm is raised about it any more, and its connect page leads to its successor's.
    Its webhooks are still taken and forwarded; nothing is deleted anywhere.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: It is no development app.
    """
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        development = require_development(session, development_id)
        done = session.exec(
            update(ZoomApp)
            .where(col(ZoomApp.id) == development.id, col(ZoomApp.retired_at).is_(None))
            .values(retired_at=now)
        )
        if rows_changed(done) != 1:
            return False
        subject = full_name(development)
        production = succession.successor(session, development)
        if production is not None:
            move = succession.between(development, production)
            left = succession.progress(session, move).left
            subject += f": {left} had not reconnected"
        audit.record(session, actor, "zoom_app.retired", subject=subject, now=now)
        return True


def bring_back(runtime: Runtime, zoom_app_id: UUID, *, actor: Actor) -> bool:
    """Undo `retire`; commits. Tell whether it was retired.

    Raises:
        NotFoundError: There is no such zoom app.
    """
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        app = apps.get(session, zoom_app_id)
        if app.retired_at is None:
            return False
        app.retired_at = None
        session.add(app)
        audit.record(
            session, actor, "zoom_app.brought_back", subject=full_name(app), now=now
        )
        return True
