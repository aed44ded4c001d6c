"""Zoom apps: entering, setting up step by step, watching validation live."""

from uuid import UUID

from flask import Blueprint, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import SecretStr

from dashboard.errors import ConflictError, InvalidInputError, UpstreamError
from dashboard.models.check import Finding
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import (
    Environment,
    Kind,
    Routing,
    ScopeStyle,
    TokenCustody,
)
from dashboard.pasted import trim
from dashboard.services.probes import recall_webhook
from dashboard.services.recall_apps import creation, secrets
from dashboard.services.recall_apps.creation import CreateResult, Creation
from dashboard.services.rotation import rotations
from dashboard.services.staff.permissions import Permission
from dashboard.services.status import zoom_app as zoom_app_pages
from dashboard.services.zoom_apps import apps, credential_checks
from dashboard.services.zoom_apps.credentials import NewZoomApp, ZoomAppChanges
from dashboard.web import htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, db, now, runtime
from dashboard.web.errors import show_on
from dashboard.web.forms.zoom_app import (
    AdoptForm,
    CreateInRecallForm,
    NewZoomAppForm,
    ZoomAppForm,
)
from dashboard.web.pages.saved_pair import say
from dashboard.web.pages.zoom_app import chart, look, show_page

bp = Blueprint("zoom_apps", __name__, url_prefix="/zoom-apps")

_UNPROCESSABLE = 422
_TONES = {Verdict.RIGHT: "good", Verdict.WRONG: "trouble", Verdict.UNKNOWN: "waiting"}
_AGAIN = "Create in Recall may be pressed again: it never makes a second one."
_OWED = "Recall has not got it yet: why, and when it is tried again, is below."
_OFFERED_AGAIN = "Press Create in Recall to be offered it again."
_EITHER = "Either this or the client secret is wrong; Zoom does not say which."
_MADE = {
    Creation.CREATED: "Recall has the app now. Its id is shown below.",
    Creation.SETTLED: "Recall had made the app already; its id is stored now.",
    Creation.ADOPTED: "Adopted. Recall has the secrets stored here now.",
    Creation.HERE_ALREADY: "The app is in Recall already; nothing was made.",
}


@bp.get("/", strict_slashes=False)
@requires(Permission.ZOOM_APPS_READ)
def index() -> str:
    """List every zoom app with its validation status."""
    return render_template(
        "zoom_apps/index.html", rows=zoom_app_pages.rows(db(), now=now())
    )


@bp.get("/new")
@requires(Permission.ZOOM_APPS_WRITE)
def new() -> str:
    """Show the form for a credential pair."""
    return render_template("zoom_apps/new.html", form=NewZoomAppForm())


@bp.post("/new")
@requires(Permission.ZOOM_APPS_WRITE)
def create() -> ResponseReturnValue:
    """Check the pair at Zoom and save it."""
    form = NewZoomAppForm()
    if not form.validate():
        return _new_again(form)
    values = NewZoomApp(
        name=form.name.data or "",
        environment=Environment(form.environment.data),
        kind=Kind(form.kind.data),
        scope_style=ScopeStyle(form.scope_style.data),
        token_custody=TokenCustody(form.custody.data),
        client_id=form.client_id.data or "",
        client_secret=SecretStr(form.client_secret.data or ""),
        secret_token=SecretStr(form.secret_token.data or ""),
    )
    try:
        saved = credential_checks.create(runtime(), values, actor=actor())
    except credential_checks.WrongCredentialsError as error:
        form.client_id.errors = [_EITHER]
        form.client_secret.errors = [str(error)]
        return _new_again(form)
    except InvalidInputError as error:
        show_on(form, error, field="client_id")
        return _new_again(form)
    except ConflictError as error:
        show_on(form, error, field="client_id")
        return _new_again(form)
    say(saved)
    return htmx.go_to(url_for(".show", zoom_app_id=saved.zoom_app_id))


@bp.get("/<uuid:zoom_app_id>")
@requires(Permission.ZOOM_APPS_READ)
def show(zoom_app_id: UUID) -> ResponseReturnValue:
    """Show the set-up of one zoom app and what was seen of it."""
    return show_page(zoom_app_id, workspace_id=request.args.get("workspace", type=UUID))


@bp.get("/<uuid:zoom_app_id>/validation")
@requires(Permission.ZOOM_APPS_READ)
def validation(zoom_app_id: UUID) -> ResponseReturnValue:
    """Answer the parts of the page that change by themselves."""
    if not htmx.wants_fragment():
        return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))
    page = look(zoom_app_id)
    return htmx.fragment("zoom_apps/partials/_live.html", page=page, chart=chart(page))


@bp.get("/<uuid:zoom_app_id>/edit")
@requires(Permission.ZOOM_APPS_WRITE)
def edit(zoom_app_id: UUID) -> str:
    """Show what can be changed about a zoom app."""
    zoom_app = apps.get(db(), zoom_app_id)
    form = ZoomAppForm(data={"name": zoom_app.name, "routing": zoom_app.routing.value})
    return _edit_page(form, zoom_app_id)


@bp.post("/<uuid:zoom_app_id>/edit")
@requires(Permission.ZOOM_APPS_WRITE)
def update(zoom_app_id: UUID) -> ResponseReturnValue:
    """Change it, and give new secrets to Recall as well."""
    form = ZoomAppForm()
    if not form.validate():
        return _edit_page(form, zoom_app_id), _UNPROCESSABLE
    changes = ZoomAppChanges(
        name=form.name.data or "",
        routing=Routing(form.routing.data),
        client_secret=_typed(form.client_secret.data),
        secret_token=_typed(form.secret_token.data),
    )
    try:
        changed = rotations.change(runtime(), zoom_app_id, changes, actor=actor())
    except InvalidInputError as error:
        show_on(form, error, field="name")
        return _edit_page(form, zoom_app_id), _UNPROCESSABLE
    say(changed.saved)
    if changed.is_pending:
        flash(_OWED, "waiting")
    elif changed.is_in_recall:
        _probe_after_update(zoom_app_id)
    return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))


@bp.post("/<uuid:zoom_app_id>/check")
@requires(Permission.ZOOM_APPS_WRITE)
def check(zoom_app_id: UUID) -> ResponseReturnValue:
    """Ask Zoom about the stored pair again."""
    pair_check = credential_checks.check_again(runtime(), zoom_app_id)
    flash(pair_check.reason, _TONES[pair_check.verdict])
    return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))


@bp.post("/<uuid:zoom_app_id>/create-in-recall")
@requires(Permission.ZOOM_APPS_WRITE)
def create_in_recall(zoom_app_id: UUID) -> ResponseReturnValue:
    """Make the app in Recall, or offer what is there already."""
    form = CreateInRecallForm()
    if not form.validate():
        flash("Choose a workspace first.", "trouble")
        return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))
    workspace_id = UUID(form.workspace_id.data)
    try:
        result = creation.create_in_recall(
            runtime(), zoom_app_id, workspace_id, actor=actor()
        )
    except (UpstreamError, ConflictError) as error:
        flash(f"{_told(error)} {_AGAIN}", "trouble")
        # Chosen once, chosen still.
        again = url_for(".show", zoom_app_id=zoom_app_id, workspace=workspace_id)
        return htmx.go_to(again)
    if result.outcome is Creation.OFFERED:
        return show_page(zoom_app_id, offer=result, workspace_id=workspace_id)
    return _in_recall(zoom_app_id, result)


@bp.post("/<uuid:zoom_app_id>/adopt")
@requires(Permission.ZOOM_APPS_WRITE)
def adopt(zoom_app_id: UUID) -> ResponseReturnValue:
    """Take an app that Recall has already."""
    form = AdoptForm()
    if not form.validate():
        flash("Choose one of the apps that Recall has.", "trouble")
        return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))
    try:
        result = creation.adopt(
            runtime(),
            zoom_app_id,
            UUID(form.workspace_id.data),
            UUID(form.recall_app_id.data),
            actor=actor(),
        )
    except (UpstreamError, ConflictError) as error:
        flash(f"Nothing was adopted here. {_told(error)} {_OFFERED_AGAIN}", "trouble")
        return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))
    return _in_recall(zoom_app_id, result)


@bp.post("/<uuid:zoom_app_id>/update-in-recall")
@requires(Permission.ZOOM_APPS_WRITE)
def update_in_recall(zoom_app_id: UUID) -> ResponseReturnValue:
    """Give Recall the secrets stored here, and see whether it holds them."""
    try:
        secrets.update_in_recall(runtime(), zoom_app_id, actor=actor())
    except UpstreamError as error:
        flash(f"Recall has not got it yet. {_told(error)}", "trouble")
    except ConflictError as error:
        flash(str(error), "waiting")
    else:
        _probe_after_update(zoom_app_id)
    return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))


@bp.post("/<uuid:zoom_app_id>/probe")
@requires(Permission.ZOOM_APPS_WRITE)
def probe(zoom_app_id: UUID) -> ResponseReturnValue:
    """Put signed challenges to our own public URL and to Recall, now."""
    try:
        probed = recall_webhook.probe(runtime(), zoom_app_id)
    except ConflictError as error:
        flash(str(error), "trouble")
        return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))
    for seen in filter(None, (probed.self_test, probed.recall)):
        flash(seen.detail, "good" if seen.finding is Finding.GOOD else "trouble")
    return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))


def _new_again(form: NewZoomAppForm) -> ResponseReturnValue:
    kept = trim(form.client_id.data or "")
    if kept != form.client_id.data:
        flash("White space around the client ID was removed.", "off")
    form.client_id.data = kept
    return render_template("zoom_apps/new.html", form=form), _UNPROCESSABLE


def _edit_page(form: ZoomAppForm, zoom_app_id: UUID) -> str:
    zoom_app = apps.get(db(), zoom_app_id)
    until = zoom_app.rotation_until
    return render_template(
        "zoom_apps/edit.html",
        form=form,
        app=zoom_app,
        announced_until=until if until is not None and until > now() else None,
    )


def _told(error: UpstreamError | ConflictError) -> str:
    return error.message() if isinstance(error, UpstreamError) else str(error)


def _typed(text: str | None) -> SecretStr | None:
    return SecretStr(text) if text else None


def _in_recall(zoom_app_id: UUID, result: CreateResult) -> ResponseReturnValue:
    flash(_MADE[result.outcome], "good")
    if result.outcome is not Creation.HERE_ALREADY:
        recall_webhook.probe_recall(runtime(), zoom_app_id)
    return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))


def _probe_after_update(zoom_app_id: UUID) -> None:
    seen = recall_webhook.probe_recall(runtime(), zoom_app_id)
    is_good = seen.finding is Finding.GOOD
    flash(
        "Recall has the same secrets now. " + seen.detail,
        "good" if is_good else "trouble",
    )
