"""The worker's chore: says when the validation status of a zoom app has changed."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select

from dashboard.models.zoom_app import ZoomApp
from dashboard.services import events
from dashboard.services.facts import zoom_apps
from dashboard.services.runtime import Runtime

_EVERY = timedelta(seconds=20)


class ValidationChanges:
    """Compares both ways of each zoom app with what the last event said; commits."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._asked_at: datetime | None = None

    def __call__(self) -> int:
        """Record what changed; return how many."""
        now = self._runtime.clock.now()
        if self._asked_at is not None and abs(now - self._asked_at) < _EVERY:
            return 0
        self._asked_at = now
        with self._runtime.database.reading() as session:
            found = _changed(session, now)
        if not found:
            return 0
        with self._runtime.database.writing() as session:
            for app_id, words in found:
                _say(session, app_id, words, now=now)
        return len(found)


def _changed(session: Session, now: datetime) -> list[tuple[UUID, str]]:
    """Return the statuses of those that stand otherwise than was said."""
    reader = zoom_apps.Reader(session, now=now)
    query = select(ZoomApp).where(col(ZoomApp.retired_at).is_(None))
    found = [(app, _words(reader, app)) for app in session.exec(query).all()]
    return [(app.id, words) for app, words in found if words != app.validation_said]


def _words(reader: zoom_apps.Reader, app: ZoomApp) -> str:
    found = reader(app)
    return f"{found.zoom_status.state.value} {found.recall_status.state.value}"


def _say(session: Session, app_id: UUID, words: str, *, now: datetime) -> None:
    """Record it, unless another worker has; of a new app nothing has changed yet."""
    app = session.exec(
        select(ZoomApp).where(col(ZoomApp.id) == app_id).with_for_update()
    ).one()
    if app.validation_said == words:
        return
    from_zoom, to_recall = words.split()
    if app.validation_said:
        said = events.ZoomAppValidationChanged(
            zoom_app_id=app.id, from_zoom=from_zoom, to_recall=to_recall
        )
        events.record(session, said, at=now)
    app.validation_said = words
    session.add(app)
