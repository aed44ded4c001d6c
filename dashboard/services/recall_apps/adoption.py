"""Taking over an app that was made in Recall by hand: a zoom app here, with its id.

Source: docs/contracts/recall.md 3.1, checked 2026-11-23: Recall returns secrets in
clear text, so they need not be typed; whether the live service masks them is not known.
"""

from dataclasses import dataclass
from uuid import UUID

from pydantic import SecretStr

from dashboard.clients.recall.replies import RecallAppSecrets
from dashboard.errors import ConflictError, InvalidInputError, UpstreamError
from dashboard.models.zoom_app import (
    Environment,
    Kind,
    Routing,
    ScopeStyle,
    ZoomApp,
)
from dashboard.services.audit import Actor
from dashboard.services.recall import workspaces
from dashboard.services.recall_apps import creation
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps, credential_checks
from dashboard.services.zoom_apps.credential_checks import (
    SavedZoomApp,
    WrongCredentialsError,
)
from dashboard.services.zoom_apps.credentials import NewZoomApp


@dataclass(frozen=True, kw_only=True)
class TakeOver:
    """What a person says of an app in Recall; a secret left out is taken from there."""

    name: str
    environment: Environment
    scope_style: ScopeStyle
    routing: Routing
    client_secret: SecretStr | None = None
    secret_token: SecretStr | None = None


@dataclass(frozen=True, kw_only=True)
class TakenOver:
    """A zoom app made of an app in Recall.

    Attributes:
        entered: How its pair was saved; None when it was here already.
        error: Why the two are not brought together yet; "" when they are.
    """

    zoom_app_id: UUID
    entered: SavedZoomApp | None = None
    error: str = ""


def look_at(
    runtime: Runtime, workspace_id: UUID, recall_app_id: UUID
) -> RecallAppSecrets:
    """Return one app of Recall; its secrets are for `take_over` alone.

    Raises:
        NotFoundError: There is no such workspace.
        UpstreamError: Recall refused or did not answer; 404 means it has no such app.
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
    """Make a zoom app of an app in Recall; commits. Twice is as once.

    The pair is checked at Zoom. Afterwards Recall is given the secrets stored here, as
    by `recall_apps.adopt`, so that both hold the same.

    Raises:
        NotFoundError: There is no such workspace.
        InvalidInputError: A value cannot be taken, or Recall does not show a secret
            that was left out.
        WrongCredentialsError: Zoom refuses the pair.
        ConflictError: A zoom app with its client ID is here, or its kind is not known.
        UpstreamError: Recall could not be asked; nothing was stored.
    """
    there = look_at(runtime, workspace_id, recall_app_id)
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
                "Zoom refuses the client secret that Recall holds for this client ID. "
                "Type the one that Zoom shows.",
                field="client_secret",
            ) from None
        raise
    except ConflictError:  # pressed twice, perhaps
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
    """Put what the person typed over what Recall shows.

    Raises:
        InvalidInputError: A secret is neither typed nor shown.
        ConflictError: Of a kind that is not known.
    """
    if there.kind not in set(Kind):
        raise ConflictError(
            "Recall calls this app neither user_level nor account_level, so it cannot "
            "be taken over."
        )
    client_secret = values.client_secret or there.client_secret
    secret_token = values.secret_token or there.webhook_secret
    if client_secret is None:
        raise InvalidInputError(
            "Recall does not show the client secret. Copy it from Zoom.",
            field="client_secret",
        )
    if secret_token is None:
        raise InvalidInputError(
            "Recall does not show the secret token. Copy it from Zoom.",
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
    """End what another press of the same button has begun.

    Raises:
        ConflictError: It is no such: a zoom app with the client ID was here before.
    """
    name = f"{own.name} ({own.environment.value})"
    if own.recall_app_id == recall_app_id:
        return TakenOver(zoom_app_id=own.id)
    if own.recall_app_id is not None:
        raise ConflictError(
            f"{name} has this client ID and uses another Recall app, "
            f"{own.recall_app_id}. Delete in Recall the one that is not used."
        )
    if own.workspace_id != workspace_id:
        raise ConflictError(
            f"{name} has this client ID and is here already, without its Recall app. "
            "Press Create in Recall on its page: it finds this one and offers it."
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
    """Bring the two together; return why that failed, or ""."""
    try:
        creation.adopt(runtime, zoom_app_id, workspace_id, recall_app_id, actor=actor)
    except (ConflictError, UpstreamError) as error:
        return str(error)
    return ""
