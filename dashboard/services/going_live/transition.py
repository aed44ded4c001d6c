"""From development to production, in the way that Zoom shows.

Either Zoom made the pair in use the production pair: then the zoom app becomes
production and no user does anything. Or it shows another pair: then production is a
second zoom app, entered or linked, and development is retired at the end. Nothing is
deleted on the way, here, at Zoom or in Recall. `zoom_apps.succession` counts who has
reconnected. Source: docs/contracts/recall.md 7.3, checked 2026-11-29.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select, update

from dashboard.db import Database
from dashboard.db.statements import rows_changed
from dashboard.errors import ConflictError, InvalidInputError
from dashboard.models.zoom_app import Environment, ZoomApp
from dashboard.pasted import trim
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.connect import flow
from dashboard.services.recall import workspaces
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps, credential_checks, succession
from dashboard.services.zoom_apps.apps import NewZoomApp, full_name
from dashboard.services.zoom_apps.credential_checks import SavedZoomApp
from dashboard.services.zoom_apps.succession import Progress, predecessor, successor

__all__ = [
    "GoLiveStatus",
    "HereAlreadyError",
    "begin",
    "candidates",
    "link",
    "predecessor",
    "promote",
    "require_development",
    "status_of",
    "successor",
    "undo_promotion",
    "unlink",
]


class HereAlreadyError(ConflictError):
    """A production app with the client ID is here, and may be linked.

    Attributes:
        zoom_app_id: Which.
    """

    def __init__(self, zoom_app: ZoomApp) -> None:
        super().__init__(
            f"{zoom_app.name} ({zoom_app.environment.value}) already has this client "
            "ID. Link it instead of entering it again."
        )
        self.zoom_app_id = zoom_app.id


@dataclass(frozen=True, kw_only=True)
class GoLiveStatus:
    """Going live as the pages of either zoom app show it.

    Attributes:
        production: None until it is entered or linked.
        progress: Who has reconnected; None until then.
        is_open: Whether users can connect to production.
    """

    development: ZoomApp
    production: ZoomApp | None = None
    progress: Progress | None = None
    is_open: bool = False


def promote(
    database: Database, zoom_app_id: UUID, *, actor: Actor, now: datetime
) -> bool:
    """Record that Zoom made this pair the production pair; commits.

    Its client ID, Recall app, URLs and connections stay. Return whether it is new.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: Another zoom app is its production app.
    """
    with database.writing() as session:
        return _set_environment(
            session, zoom_app_id, Environment.PRODUCTION, actor, now
        )


def undo_promotion(
    database: Database, zoom_app_id: UUID, *, actor: Actor, now: datetime
) -> bool:
    """Record that the pair is the development pair after all; commits.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: It replaces a development app.
    """
    with database.writing() as session:
        return _set_environment(
            session, zoom_app_id, Environment.DEVELOPMENT, actor, now
        )


def _set_environment(
    session: Session, zoom_app_id: UUID, to: Environment, actor: Actor, now: datetime
) -> bool:
    app = apps.lock(session, zoom_app_id)
    if app.environment is to:
        return False
    other = successor(session, app) or predecessor(session, app)
    if other is not None:
        raise ConflictError(
            f"{app.name} is linked to {other.name} ({other.environment.value}), so it "
            "is the other pair of that app. Unlink them first if that is wrong."
        )
    app.environment = to
    app.version += 1  # the receiver names the environment
    session.add(app)
    is_live = to is Environment.PRODUCTION
    act = "zoom_app.promoted" if is_live else "zoom_app.demoted"
    audit.record(session, actor, act, subject=full_name(app), now=now)
    return True


def begin(
    runtime: Runtime, development_id: UUID, values: NewZoomApp, *, actor: Actor
) -> SavedZoomApp:
    """Check the production pair at Zoom and save it as the successor; commits.

    Calling it again with the same values returns the same result.

    Args:
        runtime: All of them.
        development_id: The zoom app to be replaced.
        values: The pair; kind and environment follow from the development app.
        actor: For the audit log.

    Raises:
        NotFoundError: No such zoom app, or no such workspace.
        InvalidInputError: A value cannot be taken.
        WrongCredentialsError: Zoom refuses the pair.
        HereAlreadyError: A production app with this client ID is here: link it.
        ConflictError: It is not a development app, or already has a production app.
    """
    client_id = trim(values.client_id)
    with runtime.database.reading() as session:
        development = require_development(session, development_id)
        done = _done(session, development, client_id)
        if done is not None:
            return done
    try:
        with runtime.database.reading() as session:
            _require_possible(session, development, client_id)
            if values.workspace_id is not None:
                workspaces.get(session, values.workspace_id)
        values = replace(
            values,
            environment=Environment.PRODUCTION,
            kind=development.kind,
            succeeds_id=development_id,
        )
        return credential_checks.create(runtime, values, actor=actor)
    except ConflictError:
        with runtime.database.reading() as session:  # pressed twice, perhaps
            done = _done(session, development, client_id)
        if done is None:
            raise
        return done


def link(
    runtime: Runtime, development_id: UUID, production_id: UUID, *, actor: Actor
) -> None:
    """Make an existing production app the successor; commits. Idempotent.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: The two do not go together, or one is linked to another.
    """
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        development = require_development(session, development_id)
        production = apps.get(session, production_id)
        if production.succeeds_id == development.id:
            return
        _require_fit(development, production)
        succession.require_free(session, development.id)
        linked = session.exec(
            update(ZoomApp)
            .where(col(ZoomApp.id) == production.id, col(ZoomApp.succeeds_id).is_(None))
            .values(succeeds_id=development.id)
        )
        if rows_changed(linked) != 1:
            raise ConflictError(f"{production.name} already replaces another zoom app.")
        subject = f"{full_name(production)}: to replace {full_name(development)}"
        audit.record(session, actor, "zoom_app.linked", subject=subject, now=now)


def unlink(runtime: Runtime, development_id: UUID, *, actor: Actor) -> None:
    """Undo `link`; both zoom apps stay as they are. Commits.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: It is retired: its connect page leads to the other one.
    """
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        development = apps.get(session, development_id)
        production = successor(session, development)
        if production is None:
            return
        if development.retired_at is not None:
            raise ConflictError(
                f"{development.name} is retired, and its connect page leads to "
                f"{production.name}. Restore it first."
            )
        production.succeeds_id = None
        session.add(production)
        subject = (
            f"{full_name(production)}: not to replace {full_name(development)} any more"
        )
        audit.record(session, actor, "zoom_app.unlinked", subject=subject, now=now)


def candidates(session: Session, development: ZoomApp) -> Sequence[ZoomApp]:
    """Return the production apps that may be linked to it, by name."""
    query = select(ZoomApp).where(
        col(ZoomApp.environment) == Environment.PRODUCTION,
        col(ZoomApp.kind) == development.kind,
        col(ZoomApp.succeeds_id).is_(None),
    )
    return session.exec(query.order_by(col(ZoomApp.name))).all()


def status_of(session: Session, zoom_app_id: UUID) -> GoLiveStatus | None:
    """Return how far going live is, from either zoom app; None for other apps.

    Raises:
        NotFoundError: There is no such zoom app.
    """
    app = apps.get(session, zoom_app_id)
    development = predecessor(session, app) or app
    if development.environment is not Environment.DEVELOPMENT:
        return None
    production = successor(session, development)
    if production is None:
        return GoLiveStatus(development=development)
    move = succession.between(development, production)
    return GoLiveStatus(
        development=development,
        production=production,
        progress=succession.progress(session, move),
        is_open=flow.is_ready(production),
    )


def require_development(session: Session, zoom_app_id: UUID) -> ZoomApp:
    """Return the development app.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: It is another environment's.
    """
    app = apps.get(session, zoom_app_id)
    if app.environment is not Environment.DEVELOPMENT:
        raise ConflictError(
            f"{app.name} is not a development app, so it can't go live."
        )
    return app


def _done(
    session: Session, development: ZoomApp, client_id: str
) -> SavedZoomApp | None:
    there = apps.find_by_client_id(session, client_id)
    if there is None or there.succeeds_id != development.id:
        return None
    return SavedZoomApp(zoom_app_id=there.id, pair_check=None, has_new_secrets=False)


def _require_possible(session: Session, development: ZoomApp, client_id: str) -> None:
    if client_id == development.client_id:
        raise InvalidInputError(
            "This is the development client ID. Copy the one in the Production tab of "
            "Basic Information > App Credentials.",
            field="client_id",
        )
    if successor(session, development) is not None:
        raise ConflictError(succession.TAKEN)
    there = apps.find_by_client_id(session, client_id)
    if there is None:
        return
    _require_fit(development, there)
    raise HereAlreadyError(there)


def _require_fit(development: ZoomApp, production: ZoomApp) -> None:
    name = f"{production.name} ({production.environment.value})"
    if production.environment is not Environment.PRODUCTION:
        raise ConflictError(f"{name} already exists as a development app.")
    if production.kind is not development.kind:
        raise ConflictError(
            f"{name} is {_kind(production)} and {development.name} is "
            f"{_kind(development)}: their users can't be matched."
        )
    if production.succeeds_id is not None:
        raise ConflictError(f"{name} already replaces another zoom app.")


def _kind(app: ZoomApp) -> str:
    return "user-managed" if app.kind == "user_level" else "admin-managed"


def retire(runtime: Runtime, development_id: UUID, *, actor: Actor) -> bool:
    """Stop monitoring a development app; commits. Return whether it was in use.

    It raises no more alarms, and its connect page leads to its successor's. Its
    webhooks are still received and forwarded; nothing is deleted anywhere.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: It is not a development app.
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
    """Undo `retire`; commits. Return whether it was retired.

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
