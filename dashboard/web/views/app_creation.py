"""Creating the Zoom app itself: a form, the secret token to copy, the outcome.

Between the two forms nothing is stored: what Zoom returned stands sealed in the second
one, bound to the person who had the app created.
"""

from uuid import UUID

from flask import Blueprint, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, SecretStr, ValidationError
from wtforms import StringField

from dashboard.clients.zoom.marketplace_apps import Contact, CreatedApp
from dashboard.errors import ConflictError, InvalidInputError, VaultError
from dashboard.models.zoom_app import (
    Environment,
    Kind,
    ScopeStyle,
    TokenCustody,
    ZoomCloud,
)
from dashboard.pasted import trim_secret
from dashboard.services import urls
from dashboard.services.app_creation import creation
from dashboard.services.app_creation.creation import ServerApp, Wanted
from dashboard.services.staff.permissions import Permission
from dashboard.services.zoom_apps.apps import NewZoomApp
from dashboard.web import htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, runtime
from dashboard.web.errors import show_on
from dashboard.web.forms.zoom_app import ForMeForm, MadeForMeForm
from dashboard.web.pages.zoom_app import say

bp = Blueprint("app_creation", __name__, url_prefix="/zoom-apps/new")

_UNPROCESSABLE = 422
_ANSWERS = ("kind", "external", "cloud")
_PLACE = {"table": "form", "column": "made"}
_LOST = (
    "This page has expired or belongs to someone else. The app is still in Zoom: enter "
    "its credentials here as an OAuth app you have, or delete it there."
)


class _Made(BaseModel):
    """What is known of an app between its creation at Zoom and its credentials."""

    app_id: str
    name: str
    kind: Kind
    external: bool
    custody: TokenCustody
    cloud: ZoomCloud
    client_id: str
    client_secret: str
    token: str


@bp.get("/for-me")
@requires(Permission.ZOOM_APPS_WRITE)
def new() -> str:
    """Show the form: a name, whom Zoom asks about it, the token."""
    answers = {name: request.args[name] for name in _ANSWERS if name in request.args}
    form = ForMeForm(data={"contact_email": actor().name, **answers})
    return _new_page(form)


@bp.post("/for-me")
@requires(Permission.ZOOM_APPS_WRITE, fresh=True)
def create() -> ResponseReturnValue:
    """Create the app at Zoom; then ask for the secret token."""
    form = ForMeForm()
    is_valid = form.validate()
    if not _has_access(form) or not is_valid:
        return _new_page(form), _UNPROCESSABLE
    wanted = Wanted(
        name=form.name.data or "",
        kind=Kind(form.kind.data or ""),
        joins_external=form.external.data == "yes",
        token_custody=TokenCustody(form.custody.data),
        zoom_cloud=ZoomCloud(form.cloud.data or ""),
        contact=Contact(
            name=form.contact_name.data or "",
            email=form.contact_email.data or "",
            company=form.company.data or "",
        ),
    )
    try:
        token = _token(form, wanted.zoom_cloud)
        made = creation.create(runtime(), wanted, token, actor=actor())
    except (InvalidInputError, ConflictError) as error:
        show_on(form, error, field="name")
        return _new_page(form), _UNPROCESSABLE
    return _made_page(_known(made, wanted, token), MadeForMeForm(formdata=None))


@bp.post("/made-for-me")
@requires(Permission.ZOOM_APPS_WRITE, fresh=True)
def save() -> ResponseReturnValue:
    """Save the pair with the secret token, then give Zoom the whole manifest."""
    form = MadeForMeForm()
    made = _opened(form)
    if made is None:
        return _lost()
    if not form.validate() or not _has_all(form, made):
        return _made_page(made, form), _UNPROCESSABLE
    values = NewZoomApp(
        name=made.name,
        environment=Environment.DEVELOPMENT,
        kind=made.kind,
        scope_style=ScopeStyle.GRANULAR,
        joins_external=made.external,
        token_custody=made.custody,
        zoom_cloud=made.cloud,
        client_id=made.client_id or form.client_id.data or "",
        client_secret=SecretStr(made.client_secret or form.client_secret.data or ""),
        secret_token=SecretStr(form.secret_token.data or ""),
    )
    try:
        saved = creation.save(runtime(), made.app_id, values, actor=actor())
    except (InvalidInputError, ConflictError) as error:
        if made.client_id:  # Only one field is shown then.
            form.secret_token.errors = [str(error)]
        else:
            show_on(form, error, field="secret_token")
        return _made_page(made, form), _UNPROCESSABLE
    say(saved)
    return _configured(saved.zoom_app_id, SecretStr(made.token))


@bp.post("/made-for-me/undo")
@requires(Permission.ZOOM_APPS_WRITE)
def undo() -> ResponseReturnValue:
    """Delete the app at Zoom again."""
    form = MadeForMeForm()
    made = _opened(form)
    if made is None:
        return _lost()
    token = SecretStr(made.token)
    try:
        creation.undo(
            runtime(), made.app_id, made.name, token, cloud=made.cloud, actor=actor()
        )
    except InvalidInputError as error:
        flash(str(error), "trouble")
        return _made_page(made, form), _UNPROCESSABLE
    flash(f"“{made.name}” was deleted in Zoom. Nothing is stored here.", "good")
    return htmx.go_to(url_for("zoom_apps.new"))


_NEEDED = (
    ("server_account_id", "Enter the account ID."),
    ("server_client_id", "Enter the client ID."),
    ("server_client_secret", "Enter the client secret."),
)


def _has_access(form: ForMeForm) -> bool:
    """Whether a token was typed, or all that gets one; else say what is missing."""
    if form.token.data:
        return True
    empty = [(form[name], said) for name, said in _NEEDED if not form[name].data]
    for field, said in empty:
        field.errors = [said]
    return not empty


def _token(form: ForMeForm, cloud: ZoomCloud) -> SecretStr:
    if form.token.data:
        return SecretStr(form.token.data)
    app = ServerApp(
        account_id=form.server_account_id.data or "",
        client_id=form.server_client_id.data or "",
        client_secret=SecretStr(form.server_client_secret.data or ""),
    )
    return creation.fetch_token(runtime().zoom_oauth, app, cloud=cloud)


def _configured(zoom_app_id: UUID, token: SecretStr) -> ResponseReturnValue:
    try:
        outcome = creation.configure(runtime(), zoom_app_id, token)
    except ConflictError as error:
        flash(str(error), "trouble")
    else:
        flash(outcome.sentence, "good" if outcome.is_complete else "trouble")
    return htmx.go_to(url_for("zoom_apps.show", zoom_app_id=zoom_app_id))


def _known(made: CreatedApp, wanted: Wanted, token: SecretStr) -> _Made:
    client_id, client_secret = made.pair or ("", SecretStr(""))
    return _Made(
        app_id=made.app_id,
        name=wanted.name,
        kind=wanted.kind,
        external=wanted.joins_external,
        custody=wanted.token_custody,
        cloud=wanted.zoom_cloud,
        client_id=client_id,
        client_secret=client_secret.get_secret_value(),
        token=trim_secret(token).get_secret_value(),
    )


def _has_all(form: MadeForMeForm, made: _Made) -> bool:
    """Whether everything was typed that Zoom did not return; else say what is not."""
    needed: list[tuple[StringField, str]] = [
        (form.secret_token, "Enter the secret token.")
    ]
    if not made.client_id:
        needed += [
            (form.client_id, "Enter the client ID."),
            (form.client_secret, "Enter the client secret."),
        ]
    empty = [(field, said) for field, said in needed if not field.data]
    for field, said in empty:
        field.errors = [said]
    return not empty


def _opened(form: MadeForMeForm) -> _Made | None:
    try:
        sealed = bytes.fromhex(form.made.data or "")
        text = runtime().vault.open_text(sealed, **_PLACE, row=actor().staff_id)
        return _Made.model_validate_json(text.get_secret_value())
    except (ValueError, VaultError, ValidationError):
        return None


def _lost() -> ResponseReturnValue:
    flash(_LOST, "trouble")
    return htmx.go_to(url_for("zoom_apps.new"))


def _new_page(form: ForMeForm) -> str:
    known = {each.value for each in ZoomCloud}
    cloud = form.cloud.data if form.cloud.data in known else ZoomCloud.COMMERCIAL
    return render_template(
        "app_creation/new.html",
        form=form,
        zoom_console=urls.zoom_console_url(
            runtime().settings,
            cloud=ZoomCloud(cloud),
        ),
    )


def _made_page(made: _Made, form: MadeForMeForm) -> str:
    text = SecretStr(made.model_dump_json())
    sealed = runtime().vault.seal_text(text, **_PLACE, row=actor().staff_id)
    form.made.data = sealed.hex()
    return render_template(
        "app_creation/made.html",
        form=form,
        name=made.name,
        app_id=made.app_id,
        has_pair=bool(made.client_id),
        zoom_console=urls.zoom_console_url(
            runtime().settings,
            made.client_id or None,
            made.cloud,
            app_id=made.app_id,
        ),
    )
