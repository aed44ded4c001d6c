"""List a workspace's apps in Recall, and take over one that was created by hand.

Recall returns secrets in clear text, so they need not be typed. Whether the live
service masks them is not known. Source: docs/contracts/recall.md 3.1 to 3.3, checked
2026-11-23.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import cast
from uuid import UUID

from pydantic import SecretStr
from sqlmodel import Session, col, select

from dashboard.clients.recall.api import Recall
from dashboard.clients.recall.replies import RecallApp, RecallAppSecrets
from dashboard.errors import ConflictError, InvalidInputError, UpstreamError
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import (
    Environment,
    Kind,
    Routing,
    ScopeStyle,
    ZoomApp,
    ZoomCloud,
)
from dashboard.services.audit import Actor
from dashboard.services.recall import workspaces
from dashboard.services.recall_apps import creation
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps, credential_checks
from dashboard.services.zoom_apps.apps import NewZoomApp
from dashboard.services.zoom_apps.credential_checks import (
    SavedZoomApp,
    WrongCredentialsError,
)

_ASKED_ABOUT = 20
"""Apps missing in the list that are read one by one."""


@dataclass(frozen=True, kw_only=True)
class TakeOver:
    """What a person enters about an app in Recall; missing secrets come from Recall."""

    name: str
    environment: Environment
    scope_style: ScopeStyle
    joins_external: bool = False
    zoom_cloud: ZoomCloud = ZoomCloud.COMMERCIAL
    routing: Routing
    client_secret: SecretStr | None = None
    secret_token: SecretStr | None = None


@dataclass(frozen=True, kw_only=True)
class TakenOver:
    """A Zoom app that was made from an app in Recall.

    Attributes:
        entered: The saved credentials; None when it was here already.
        error: Why it is not linked to its Recall app yet; "" when it is.
    """

    zoom_app_id: UUID
    entered: SavedZoomApp | None = None
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """An app in Recall.

    Attributes:
        own: The Zoom app that is linked to it.
        namesake: Another Zoom app with its client ID, not linked to it.
        twins: How many more apps in the workspace have its client ID.
    """

    app: RecallApp
    own: ZoomApp | None
    namesake: ZoomApp | None
    twins: int

    @property
    def may_be_taken(self) -> bool:
        """Whether it can be taken over."""
        is_known = self.app.kind in set(Kind)
        return self.own is None and self.namesake is None and is_known


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A workspace's apps in Recall, as read once.

    Attributes:
        deleted: Zoom apps whose app Recall no longer has.
        unchecked: Zoom apps that Recall couldn't be asked about.
        error: Why there is no list; "" when there is one.
        is_part: Whether Recall's list was too long to be read whole.
    """

    workspace: Workspace
    read_at: datetime
    rows: Sequence[Listed] = ()
    deleted: Sequence[ZoomApp] = ()
    unchecked: Sequence[ZoomApp] = ()
    error: str = ""
    is_part: bool = False


def read_app(
    runtime: Runtime, workspace_id: UUID, recall_app_id: UUID
) -> RecallAppSecrets:
    """Return one app in Recall; its secrets are for `take_over` only.

    Raises:
        NotFoundError: There is no such workspace.
        UpstreamError: Recall refused or didn't answer; 404: it has no such app.
    """
    with runtime.database.reading() as session:
        workspace = workspaces.get(session, workspace_id)
    return workspaces.client(runtime, workspace).get_app_secrets(recall_app_id)


def take_over(
    runtime: Runtime,
    workspace_id: UUID,
    recall_app_id: UUID,
    values: TakeOver,
    *,
    actor: Actor,
) -> TakenOver:
    """Make a Zoom app from an app in Recall; commits. May be repeated.

    Zoom checks the credentials. Then the secrets stored here are sent to Recall, so
    that both store the same ones.

    Raises:
        NotFoundError: There is no such workspace.
        InvalidInputError: A value is invalid, or Recall doesn't show a secret that was
            left out.
        WrongCredentialsError: Zoom rejects the credentials.
        ConflictError: A Zoom app has its client ID, or its kind is unknown.
        UpstreamError: Recall didn't answer; nothing was stored.
    """
    there = read_app(runtime, workspace_id, recall_app_id)
    with runtime.database.reading() as session:
        own = apps.find_by_client_id(session, there.client_id)
    if own is not None:
        return _join(runtime, own, workspace_id, recall_app_id, actor)
    try:
        entered = credential_checks.create(
            runtime, _merged(there, values, workspace_id), actor=actor
        )
    except WrongCredentialsError:
        if values.client_secret is None:
            raise WrongCredentialsError(
                "Zoom rejected the client secret stored in Recall for this client ID. "
                "Enter the one that Zoom shows.",
                field="client_secret",
            ) from None
        raise
    except ConflictError:  # the button was pressed twice, perhaps
        with runtime.database.reading() as session:
            own = apps.find_by_client_id(session, there.client_id)
        if own is None:
            raise
        return _join(runtime, own, workspace_id, recall_app_id, actor)
    error = _adopt(runtime, entered.zoom_app_id, workspace_id, recall_app_id, actor)
    return TakenOver(zoom_app_id=entered.zoom_app_id, entered=entered, error=error)


def _merged(
    there: RecallAppSecrets, values: TakeOver, workspace_id: UUID
) -> NewZoomApp:
    """Combine what the person entered with what Recall shows.

    Raises:
        InvalidInputError: A secret is neither entered nor shown.
        ConflictError: The kind of app is unknown.
    """
    if there.kind not in set(Kind):
        raise ConflictError(
            "Recall calls this app neither user_level nor account_level, so it can't "
            "be taken over."
        )
    client_secret = values.client_secret or there.client_secret
    secret_token = values.secret_token or there.webhook_secret
    if client_secret is None:
        raise InvalidInputError(
            "Recall doesn't show the client secret. Copy it from Zoom.",
            field="client_secret",
        )
    if secret_token is None:
        raise InvalidInputError(
            "Recall doesn't show the secret token. Copy it from Zoom.",
            field="secret_token",
        )
    return NewZoomApp(
        name=values.name,
        environment=values.environment,
        kind=Kind(there.kind),
        client_id=there.client_id,
        client_secret=client_secret,
        secret_token=secret_token,
        scope_style=values.scope_style,
        joins_external=values.joins_external,
        zoom_cloud=values.zoom_cloud,
        routing=values.routing,
        workspace_id=workspace_id,
    )


def _join(
    runtime: Runtime,
    own: ZoomApp,
    workspace_id: UUID,
    recall_app_id: UUID,
    actor: Actor,
) -> TakenOver:
    """Finish what another press of the same button started.

    Raises:
        ConflictError: A Zoom app with the client ID was here before.
    """
    name = f"{own.name} ({own.environment.value})"
    if own.recall_app_id == recall_app_id:
        return TakenOver(zoom_app_id=own.id)
    if own.recall_app_id is not None:
        raise ConflictError(
            f"{name} has this client ID and uses another Recall app, "
            f"{own.recall_app_id}. Delete the unused one in Recall."
        )
    if own.workspace_id != workspace_id:
        raise ConflictError(
            f"{name} has this client ID but isn't linked to a Recall app. Press Create "
            "in Recall on its page; it will offer this app."
        )
    error = _adopt(runtime, own.id, workspace_id, recall_app_id, actor)
    return TakenOver(zoom_app_id=own.id, error=error)


def _adopt(
    runtime: Runtime,
    zoom_app_id: UUID,
    workspace_id: UUID,
    recall_app_id: UUID,
    actor: Actor,
) -> str:
    """Link the two; return why that failed, or ""."""
    try:
        creation.adopt(runtime, zoom_app_id, workspace_id, recall_app_id, actor=actor)
    except (ConflictError, UpstreamError) as error:
        return str(error)
    return ""


def listing(runtime: Runtime, workspace_id: UUID) -> Listing:
    """Ask Recall which apps the workspace has, and find their Zoom apps.

    Never raises for Recall's answers: `Listing.error` has them. Reads one list, and
    each of at most 20 apps that are stored here and missing in the list.

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
            workspace=workspace, read_at=read_at, unchecked=here, error=str(error)
        )
    apps_there = there.results
    seen = {one.id for one in apps_there}
    missing = [app for app in here if app.recall_app_id not in seen]
    deleted, found, unchecked = _ask_about(recall, missing)
    apps_there = [*apps_there, *found]
    with runtime.database.reading() as session:
        rows = _rows(session, apps_there)
    return Listing(
        workspace=workspace,
        read_at=read_at,
        rows=rows,
        deleted=deleted,
        unchecked=unchecked,
        is_part=not there.is_whole,
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
    """Return those that are deleted, those that still exist, and the unknown ones."""
    deleted: list[ZoomApp] = []
    found: list[RecallApp] = []
    unchecked = list(missing[_ASKED_ABOUT:])
    for app in missing[:_ASKED_ABOUT]:
        try:
            found.append(recall.get_app(cast("UUID", app.recall_app_id)))
        except UpstreamError as error:
            is_deleted = error.own_status == HTTPStatus.NOT_FOUND
            (deleted if is_deleted else unchecked).append(app)
    return deleted, found, unchecked


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
