"""Zoom apps: entering, setting up step by step, watching validation live."""

from dataclasses import dataclass
from typing import Self, TypedDict
from uuid import UUID

from flask import Blueprint, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import SecretStr

from dashboard.errors import (
    ConflictError,
    InvalidInputError,
    UpstreamError,
    VaultError,
)
from dashboard.models.check import Finding
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import (
    Environment,
    Kind,
    Routing,
    ScopeStyle,
    TokenCustody,
    ZoomCloud,
)
from dashboard.pasted import trim
from dashboard.services import urls
from dashboard.services.probes import recall_webhook
from dashboard.services.recall_apps import creation, secrets
from dashboard.services.recall_apps.creation import CreateResult, Creation
from dashboard.services.rotation import rotations
from dashboard.services.setup import checklist
from dashboard.services.staff.permissions import Permission
from dashboard.services.status import zoom_app as zoom_app_pages
from dashboard.services.zoom_apps import apps, credential_checks, scopes
from dashboard.services.zoom_apps.apps import NewZoomApp, ZoomAppChanges
from dashboard.web import htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, db, now, record, runtime
from dashboard.web.errors import show_on
from dashboard.web.forms.zoom_app import (
    AdoptForm,
    CreateInRecallForm,
    NewZoomAppForm,
    WhichApp,
    WhichAppForm,
    ZoomAppForm,
)
from dashboard.web.pages.zoom_app import chart, look, say, show_page


class _Place(TypedDict):
    table: str
    column: str
    row: object


@dataclass(frozen=True, kw_only=True)
class _AsksForScopes:
    kind: Kind
    scope_style: ScopeStyle
    joins_external: bool

    @classmethod
    def of(cls, form: WhichAppForm) -> Self:
        return cls(
            kind=Kind(form.kind.data),
            scope_style=ScopeStyle(form.scope_style.data),
            joins_external=form.external.data == "yes",
        )


bp = Blueprint("zoom_apps", __name__, url_prefix="/zoom-apps")

_UNPROCESSABLE = 422
_ANSWERS = ("kind", "scope_style", "external", "cloud")
_TONES = {Verdict.RIGHT: "good", Verdict.WRONG: "trouble", Verdict.UNKNOWN: "waiting"}
_AGAIN = "You can press Create in Recall again. It never creates a duplicate."
_PENDING = "Not sent to Recall yet. The reason and the next attempt are shown below."
_OFFERED_AGAIN = "Press Create in Recall to choose again."
_ENTER_IT = "Enter the secret token."
_EITHER = "Zoom rejected this client ID and client secret. One of them is wrong."
_MADE = {
    Creation.CREATED: "Created in Recall. The app ID is shown below.",
    Creation.SETTLED: "Recall had already created the app. Its ID is now stored.",
    Creation.ADOPTED: "Adopted. Recall now has the secrets stored here.",
    Creation.HERE_ALREADY: "The app is already in Recall. Nothing was created.",
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
    """Ask which Zoom app it is, and what decides its scopes."""
    return render_template("zoom_apps/new.html", form=WhichAppForm())


@bp.get("/new/scopes")
@requires(Permission.ZOOM_APPS_WRITE)
def new_scopes() -> ResponseReturnValue:
    """Show the scopes to add before there are credentials to enter."""
    form = WhichAppForm(request.args)
    if not form.validate():
        return render_template("zoom_apps/new.html", form=form), _UNPROCESSABLE
    answers = {name: form[name].data for name in _ANSWERS}
    if form.app.data == WhichApp.FOR_ME.value:
        return htmx.go_to(url_for("app_creation.new", **answers))
    return render_template(
        "zoom_apps/new_scopes.html",
        which=form.app.data,
        answers=answers,
        scopes=scopes.list_for(_AsksForScopes.of(form)),
        zoom_console=urls.zoom_console_url(
            runtime().settings, cloud=ZoomCloud(form.cloud.data)
        ),
    )


@bp.get("/new/credentials")
@requires(Permission.ZOOM_APPS_WRITE)
def new_credentials() -> str:
    """Show the form for a credential pair, with the answers given before."""
    answers = {name: request.args[name] for name in _ANSWERS if name in request.args}
    form = NewZoomAppForm(data=answers)
    return render_template("zoom_apps/new_credentials.html", form=form)


@bp.post("/new")
@requires(Permission.ZOOM_APPS_WRITE, fresh=True)
def create() -> ResponseReturnValue:
    """Check the pair at Zoom and save it."""
    form = NewZoomAppForm()
    secret_token = _token_of(form)
    is_valid = form.validate()
    if not secret_token:
        form.secret_token.errors = [*form.secret_token.errors, _ENTER_IT]
    if not is_valid or not secret_token:
        return _new_again(form)
    values = NewZoomApp(
        name=form.name.data or "",
        environment=Environment(form.environment.data),
        kind=Kind(form.kind.data),
        scope_style=ScopeStyle(form.scope_style.data),
        joins_external=form.external.data == "yes",
        token_custody=TokenCustody(form.custody.data),
        zoom_cloud=ZoomCloud(form.cloud.data),
        client_id=form.client_id.data or "",
        client_secret=SecretStr(form.client_secret.data or ""),
        secret_token=SecretStr(secret_token),
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
    """Show the set-up and activity of one zoom app."""
    return show_page(zoom_app_id, workspace_id=request.args.get("workspace", type=UUID))


@bp.get("/<uuid:zoom_app_id>/validation")
@requires(Permission.ZOOM_APPS_READ)
def validation(zoom_app_id: UUID) -> ResponseReturnValue:
    """Return the live parts of the page."""
    if not htmx.wants_fragment():
        return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))
    page = look(zoom_app_id)
    return htmx.fragment("zoom_apps/partials/_live.html", page=page, chart=chart(page))


@bp.get("/<uuid:zoom_app_id>/edit")
@requires(Permission.ZOOM_APPS_WRITE)
def edit(zoom_app_id: UUID) -> str:
    """Show what can be changed about a zoom app."""
    zoom_app = apps.get(db(), zoom_app_id)
    stored = {
        "name": zoom_app.name,
        "routing": zoom_app.routing.value,
        "external": "yes" if zoom_app.joins_external else "no",
        "cloud": zoom_app.zoom_cloud.value,
    }
    form = ZoomAppForm(data=stored)
    return _edit_page(form, zoom_app_id)


@bp.post("/<uuid:zoom_app_id>/edit")
@requires(Permission.ZOOM_APPS_WRITE, fresh=True)
def update(zoom_app_id: UUID) -> ResponseReturnValue:
    """Change it, and send new secrets to Recall."""
    form = ZoomAppForm()
    if not form.validate():
        return _edit_page(form, zoom_app_id), _UNPROCESSABLE
    changes = ZoomAppChanges(
        name=form.name.data or "",
        routing=Routing(form.routing.data),
        joins_external=form.external.data == "yes" if form.external.data else None,
        zoom_cloud=ZoomCloud(form.cloud.data) if form.cloud.data else None,
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
        flash(_PENDING, "waiting")
    elif changed.is_in_recall:
        _probe_after_update(zoom_app_id)
    return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))


@bp.post("/<uuid:zoom_app_id>/check")
@requires(Permission.ZOOM_APPS_WRITE)
def check(zoom_app_id: UUID) -> ResponseReturnValue:
    """Verify the stored credentials with Zoom again."""
    record("zoom_app.checked", apps.full_name(apps.get(db(), zoom_app_id)))
    pair_check = credential_checks.check_again(runtime(), zoom_app_id)
    flash(pair_check.reason, _TONES[pair_check.verdict])
    return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))


@bp.post("/<uuid:zoom_app_id>/create-in-recall")
@requires(Permission.ZOOM_APPS_WRITE)
def create_in_recall(zoom_app_id: UUID) -> ResponseReturnValue:
    """Create the app in Recall, or offer existing ones."""
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
        flash(f"{_message(error)} {_AGAIN}", "trouble")
        # Chosen once, chosen still.
        again = url_for(".show", zoom_app_id=zoom_app_id, workspace=workspace_id)
        return htmx.go_to(again)
    if result.outcome is Creation.OFFERED:
        return show_page(zoom_app_id, offer=result, workspace_id=workspace_id)
    return _in_recall(zoom_app_id, result)


@bp.post("/<uuid:zoom_app_id>/adopt")
@requires(Permission.ZOOM_APPS_WRITE)
def adopt(zoom_app_id: UUID) -> ResponseReturnValue:
    """Adopt an existing Recall app."""
    form = AdoptForm()
    if not form.validate():
        flash("Choose one of the apps in Recall.", "trouble")
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
        flash(f"Nothing was adopted. {_message(error)} {_OFFERED_AGAIN}", "trouble")
        return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))
    return _in_recall(zoom_app_id, result)


@bp.post("/<uuid:zoom_app_id>/update-in-recall")
@requires(Permission.ZOOM_APPS_WRITE)
def update_in_recall(zoom_app_id: UUID) -> ResponseReturnValue:
    """Send the secrets stored here to Recall, then test whether it has them."""
    try:
        secrets.update_in_recall(runtime(), zoom_app_id, actor=actor())
    except UpstreamError as error:
        flash(f"Not sent to Recall yet. {_message(error)}", "trouble")
    except ConflictError as error:
        flash(str(error), "waiting")
    else:
        _probe_after_update(zoom_app_id)
    return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))


@bp.post("/<uuid:zoom_app_id>/probe")
@requires(Permission.ZOOM_APPS_WRITE)
def probe(zoom_app_id: UUID) -> ResponseReturnValue:
    """Self-test the public URL and test Recall, now."""
    record("zoom_app.probed", apps.full_name(apps.get(db(), zoom_app_id)))
    try:
        probed = recall_webhook.probe(runtime(), zoom_app_id)
    except ConflictError as error:
        flash(str(error), "trouble")
        return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))
    for seen in filter(None, (probed.self_test, probed.recall)):
        flash(seen.detail, "good" if seen.finding is Finding.GOOD else "trouble")
    return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))


@bp.post("/<uuid:zoom_app_id>/events-added")
@requires(Permission.ZOOM_APPS_WRITE)
def events_added(zoom_app_id: UUID) -> ResponseReturnValue:
    """Note an admin's word that the events are added in Zoom."""
    database = runtime().database
    checklist.say_events_added(database, zoom_app_id, actor=actor(), now=now())
    flash("Noted. The step completes once something shows it.", "good")
    return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))


def _new_again(form: NewZoomAppForm) -> ResponseReturnValue:
    kept = trim(form.client_id.data or "")
    if kept != form.client_id.data:
        flash("Removed white space around the client ID.", "off")
    form.client_id.data = kept
    typed = _token_of(form)
    form.kept_token.data = ""
    if typed and not form.secret_token.errors:
        sealed = runtime().vault.seal_text(SecretStr(typed), **_place())
        form.kept_token.data = sealed.hex()
    return (
        render_template("zoom_apps/new_credentials.html", form=form),
        _UNPROCESSABLE,
    )


def _token_of(form: NewZoomAppForm) -> str:
    """Return the secret token that was typed, now or before another field was wrong."""
    if form.secret_token.data:
        return str(form.secret_token.data)
    try:
        sealed = bytes.fromhex(form.kept_token.data or "")
        return runtime().vault.open_text(sealed, **_place()).get_secret_value()
    except (ValueError, VaultError):
        return ""


def _place() -> _Place:
    """Return what a kept secret is bound to: the form and who is signed in."""
    return {"table": "form", "column": "secret_token", "row": actor().staff_id}


def _edit_page(form: ZoomAppForm, zoom_app_id: UUID) -> str:
    zoom_app = apps.get(db(), zoom_app_id)
    until = zoom_app.rotation_until
    return render_template(
        "zoom_apps/edit.html",
        form=form,
        app=zoom_app,
        announced_until=until if until is not None and until > now() else None,
    )


def _message(error: UpstreamError | ConflictError) -> str:
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
        "Recall now has the same secrets. " + seen.detail,
        "good" if is_good else "trouble",
    )
