"""Workspaces: Recall regions with their API keys; for admins only."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import SecretStr

from dashboard.errors import ConflictError, InvalidInputError
from dashboard.models.workspace import Verdict, Workspace
from dashboard.services import urls
from dashboard.services.facts import zoom_apps as facts
from dashboard.services.recall import callback_signatures, rate_limits, workspaces
from dashboard.services.recall.callback_signatures import Signing
from dashboard.services.recall.workspaces import Entered, KeyAnswer, NewWorkspace
from dashboard.services.staff.permissions import Permission
from dashboard.web import htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, db, now, record, runtime
from dashboard.web.errors import show_on
from dashboard.web.forms.workspace import NewWorkspaceForm, WorkspaceForm

bp = Blueprint("workspaces", __name__, url_prefix="/workspaces")

_TONES = {Verdict.RIGHT: "good", Verdict.WRONG: "trouble", Verdict.UNKNOWN: "waiting"}


@bp.get("/", strict_slashes=False)
@requires(Permission.WORKSPACES_READ)
def index() -> str:
    """List every workspace and its API usage in the last minute."""
    found = workspaces.list_all(db())
    return render_template(
        "workspaces/index.html",
        workspaces=found,
        states={each.id: facts.key(each, now=now()) for each in found},
        usage=rate_limits.usage_of(db(), found, now=now()),
    )


@bp.get("/new")
@requires(Permission.WORKSPACES_WRITE)
def new() -> str:
    """Show the form for another workspace."""
    return _new_page(NewWorkspaceForm())


@bp.post("/new")
@requires(Permission.WORKSPACES_WRITE, fresh=True)
def create() -> ResponseReturnValue:
    """Check the key at Recall and add the workspace."""
    form = NewWorkspaceForm()
    if not form.validate():
        return _new_again(form)
    values = NewWorkspace(
        name=form.name.data or "",
        region=form.region.data or "",
        api_key=SecretStr(form.api_key.data or ""),
    )
    try:
        entered = workspaces.create(runtime(), values, actor=actor())
    except (InvalidInputError, ConflictError) as error:
        show_on(form, error, field="api_key")
        return _new_again(form)
    _say(entered)
    return htmx.go_to(_came_from(entered.workspace_id) or url_for(".index"))


@bp.get("/<uuid:workspace_id>/edit")
@requires(Permission.WORKSPACES_WRITE)
def edit(workspace_id: UUID) -> str:
    """Show what can be changed about a workspace."""
    workspace = workspaces.get(db(), workspace_id)
    form = WorkspaceForm(
        data={
            "name": workspace.name,
            "requires_signature": workspace.requires_signature,
        }
    )
    return _edit_page(form, workspace)


@bp.post("/<uuid:workspace_id>/edit")
@requires(Permission.WORKSPACES_WRITE, fresh=True)
def update(workspace_id: UUID) -> ResponseReturnValue:
    """Rename it, or replace its secrets: the key after checking it at Recall."""
    form = WorkspaceForm()
    if not form.validate():
        return _edit_again(form, workspace_id)
    typed, secret = form.api_key.data, form.verification_secret.data
    try:
        entered = workspaces.change(
            runtime(),
            workspace_id,
            name=form.name.data or "",
            api_key=SecretStr(typed) if typed else None,
            actor=actor(),
            signing=Signing(
                secret=SecretStr(secret) if secret else None,
                is_required=form.requires_signature.data,
            ),
        )
    except (InvalidInputError, ConflictError) as error:
        show_on(form, error, field="api_key")
        return _edit_again(form, workspace_id)
    _say(entered)
    return htmx.go_to(url_for(".index"))


@bp.post("/<uuid:workspace_id>/check")
@requires(Permission.WORKSPACES_WRITE)
def check(workspace_id: UUID) -> ResponseReturnValue:
    """Ask Recall about the stored key again."""
    workspace = workspaces.get(db(), workspace_id)
    record("workspace.checked", workspace.name)
    _flash_answer(workspaces.check_again(runtime(), workspace_id))
    return htmx.go_to(url_for(".index"))


def _new_again(form: NewWorkspaceForm) -> ResponseReturnValue:
    return _new_page(form), HTTPStatus.UNPROCESSABLE_ENTITY


def _new_page(form: NewWorkspaceForm) -> str:
    return render_template(
        "workspaces/new.html",
        form=form,
        zoom_app_id=request.args.get("zoom_app", type=UUID),
        back=_came_from() or url_for(".index"),
        consoles=urls.recall_consoles(runtime().settings),
    )


def _came_from(workspace_id: UUID | None = None) -> str | None:
    """Return the page of the zoom app that a workspace is added for, with it chosen."""
    zoom_app_id = request.args.get("zoom_app", type=UUID)
    if zoom_app_id is None:
        return None
    return url_for("zoom_apps.show", zoom_app_id=zoom_app_id, workspace=workspace_id)


def _edit_again(form: WorkspaceForm, workspace_id: UUID) -> ResponseReturnValue:
    workspace = workspaces.get(db(), workspace_id)
    return _edit_page(form, workspace), HTTPStatus.UNPROCESSABLE_ENTITY


def _edit_page(form: WorkspaceForm, workspace: Workspace) -> str:
    return render_template(
        "workspaces/edit.html",
        form=form,
        workspace=workspace,
        calls=callback_signatures.calls(db(), workspace.id),
    )


def _say(entered: Entered) -> None:
    for label in entered.trimmed:
        flash(f"Spaces around the {label} were removed.", "off")
    if entered.answer.reason:
        _flash_answer(entered.answer, saved=True)
    else:
        flash("Saved.", "good")


def _flash_answer(answer: KeyAnswer, *, saved: bool = False) -> None:
    start = ""
    if saved:
        is_checked = answer.verdict is not Verdict.UNKNOWN
        start = "Saved. " if is_checked else "Saved without a check. "
    tone = "trouble" if answer.needs_someone else _TONES[answer.verdict]
    flash(start + answer.reason, tone)
