"""Apps in Recall: listed by workspace, taken over, created again."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, flash, render_template, url_for
from flask.typing import ResponseReturnValue
from pydantic import SecretStr

from dashboard.clients.recall.replies import RecallAppSecrets
from dashboard.errors import ConflictError, InvalidInputError, UpstreamError
from dashboard.models.zoom_app import Environment, Routing, ScopeStyle, ZoomCloud
from dashboard.services.probes import recall_webhook
from dashboard.services.recall import workspaces
from dashboard.services.recall_apps import adoption, deleted, user_import
from dashboard.services.recall_apps.adoption import TakenOver, TakeOver
from dashboard.services.staff.permissions import Permission
from dashboard.web import htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, db, runtime
from dashboard.web.errors import show_on
from dashboard.web.forms.recall_app import TakeOverForm
from dashboard.web.pages.zoom_app import say

bp = Blueprint("recall_apps", __name__)


@bp.get("/workspaces/<uuid:workspace_id>/recall-apps")
@requires(Permission.WORKSPACES_READ)
def index(workspace_id: UUID) -> str:
    """List the workspace's apps in Recall and the Zoom apps they belong to."""
    return render_template(
        "recall_apps/index.html",
        listing=adoption.listing(runtime(), workspace_id),
    )


@bp.get("/workspaces/<uuid:workspace_id>/recall-apps/<uuid:recall_app_id>/take-over")
@requires(Permission.ZOOM_APPS_WRITE)
def new(workspace_id: UUID, recall_app_id: UUID) -> ResponseReturnValue:
    """Ask for what Recall does not know of an app."""
    try:
        there = adoption.read_app(runtime(), workspace_id, recall_app_id)
    except UpstreamError as error:
        flash(_cannot(error), "trouble")
        return htmx.go_to(url_for(".index", workspace_id=workspace_id))
    return _page(TakeOverForm(), workspace_id, recall_app_id, there)


@bp.post("/workspaces/<uuid:workspace_id>/recall-apps/<uuid:recall_app_id>/take-over")
@requires(Permission.ZOOM_APPS_WRITE)
def take_over(workspace_id: UUID, recall_app_id: UUID) -> ResponseReturnValue:
    """Make a zoom app of it."""
    form = TakeOverForm()
    if not form.validate():
        return _again(form, workspace_id, recall_app_id)
    values = TakeOver(
        name=form.name.data or "",
        environment=Environment(form.environment.data),
        scope_style=ScopeStyle(form.scope_style.data),
        joins_external=form.external.data == "yes",
        zoom_cloud=ZoomCloud(form.cloud.data),
        routing=Routing(form.routing.data),
        client_secret=_typed(form.client_secret.data),
        secret_token=_typed(form.secret_token.data),
    )
    try:
        taken = adoption.take_over(
            runtime(), workspace_id, recall_app_id, values, actor=actor()
        )
    except InvalidInputError as error:
        show_on(form, error, field="client_secret")
        return _again(form, workspace_id, recall_app_id)
    except UpstreamError as error:
        form.form_errors.append(_cannot(error))
        return _again(form, workspace_id, recall_app_id)
    except ConflictError as error:
        form.form_errors.append(f"The app wasn't taken over. {error}")
        return _again(form, workspace_id, recall_app_id)
    return _taken(taken)


@bp.post("/zoom-apps/<uuid:zoom_app_id>/create-again")
@requires(Permission.ZOOM_APPS_WRITE)
def create_again(zoom_app_id: UUID) -> ResponseReturnValue:
    """Forget the Recall ID of an app that Recall deleted; lead to Create in Recall."""
    try:
        deleted.release(runtime(), zoom_app_id, actor=actor())
    except (ConflictError, UpstreamError) as error:
        flash(f"Nothing was changed here. {error}", "trouble")
    else:
        flash("Press Create in Recall below to create the app again.", "waiting")
    return htmx.go_to(url_for("zoom_apps.show", zoom_app_id=zoom_app_id))


@bp.post("/zoom-apps/<uuid:zoom_app_id>/bring-in")
@requires(Permission.ZOOM_APPS_WRITE)
def import_users(zoom_app_id: UUID) -> ResponseReturnValue:
    """Import the users that the app has in Recall."""
    if not _import_users(zoom_app_id):
        flash("All users of this app are already here.", "good")
    return htmx.go_to(url_for("connections.index", app=zoom_app_id))


def _import_users(zoom_app_id: UUID) -> bool:
    """Import users and flash the result; return whether there was one."""
    try:
        added = user_import.import_users(runtime(), zoom_app_id, actor=actor())
    except (ConflictError, UpstreamError) as error:
        flash(f"Couldn't import users from Recall. {error}", "trouble")
        return True
    if added:
        who = "1 user" if added == 1 else f"{added:,} users"
        flash(f"Imported {who}. We'll check each one shortly.", "good")
    return bool(added)


def _taken(taken: TakenOver) -> ResponseReturnValue:
    if taken.entered is None:
        flash("This app is already set up here.", "good")
    else:
        say(taken.entered)
    if taken.error:
        flash(
            "The app is saved here but not linked to its Recall app yet. "
            f"{taken.error} Press Create in Recall; it will offer that app.",
            "trouble",
        )
    elif taken.entered is not None:
        flash("The secrets stored here were sent to Recall.", "good")
        recall_webhook.probe_recall(runtime(), taken.zoom_app_id)
        _import_users(taken.zoom_app_id)
    return htmx.go_to(url_for("zoom_apps.show", zoom_app_id=taken.zoom_app_id))


def _page(
    form: TakeOverForm,
    workspace_id: UUID,
    recall_app_id: UUID,
    there: RecallAppSecrets | None,
) -> str:
    return render_template(
        "recall_apps/take_over.html",
        form=form,
        workspace=workspaces.get(db(), workspace_id),
        recall_app_id=recall_app_id,
        client_id=there and there.client_id,
        kind=there and there.kind,
        has_client_secret=there is not None and there.client_secret is not None,
        has_secret_token=there is not None and there.webhook_secret is not None,
    )


def _again(
    form: TakeOverForm, workspace_id: UUID, recall_app_id: UUID
) -> ResponseReturnValue:
    """Show the form as typed, without Recall's facts if they can't be read now."""
    try:
        there = adoption.read_app(runtime(), workspace_id, recall_app_id)
    except UpstreamError:
        there = None
    page = _page(form, workspace_id, recall_app_id, there)
    return page, HTTPStatus.UNPROCESSABLE_ENTITY


def _cannot(error: UpstreamError) -> str:
    if error.status == HTTPStatus.NOT_FOUND:
        return "Recall no longer has this app in this workspace. Nothing was saved."
    return f"{error} Nothing was saved here."


def _typed(text: str | None) -> SecretStr | None:
    return SecretStr(text) if text and text.strip() else None
