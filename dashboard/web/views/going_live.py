"""From development to production: which way, who has reconnected, retire, undo."""

from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Blueprint, abort, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from pydantic import SecretStr

from dashboard.errors import ConflictError, InvalidInputError
from dashboard.models.connection import Connection
from dashboard.models.zoom_app import Environment, Routing, ScopeStyle, ZoomApp
from dashboard.pasted import trim
from dashboard.services import urls
from dashboard.services.connections import listing
from dashboard.services.connections.listing import Filters, Sort
from dashboard.services.facts import connections as facts
from dashboard.services.going_live import transition
from dashboard.services.going_live.transition import GoLiveStatus
from dashboard.services.paging import Page
from dashboard.services.recall import workspaces
from dashboard.services.staff.permissions import Permission
from dashboard.services.zoom_apps import apps, credential_checks, succession
from dashboard.services.zoom_apps.apps import NewZoomApp
from dashboard.web import exports, htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, db, now, runtime
from dashboard.web.errors import show_on
from dashboard.web.forms.going_live import (
    ALL,
    MOVED,
    NOT_YET,
    LinkForm,
    ProductionForm,
    ProgressForm,
)
from dashboard.web.pages.zoom_app import say
from dashboard.web.paging import with_query

bp = Blueprint("going_live", __name__, url_prefix="/zoom-apps/<uuid:zoom_app_id>")

_UNPROCESSABLE = 422
_EITHER = "Zoom rejected this client ID and client secret. One of them is wrong."
_COLUMNS = (
    "display_name",
    "email",
    "zoom_user_id",
    "zoom_account_id",
    "token_state",
    "connected_at",
    "connect_url",
)
_QUERY = ("q", "show", "cursor")


@bp.get("/production")
@requires(Permission.ZOOM_APPS_READ, fresh=exports.is_asked)
def show(zoom_app_id: UUID) -> ResponseReturnValue:
    """Show the form for the production app, or who has reconnected."""
    found = transition.status_of(db(), zoom_app_id)
    if found is None:
        return htmx.go_to(url_for("zoom_apps.show", zoom_app_id=zoom_app_id))
    if found.development.id != zoom_app_id:
        return htmx.go_to(url_for(".show", zoom_app_id=found.development.id))
    if found.production is None:
        return _begin_page(found.development)
    return _progress_page(found, found.production)


@bp.post("/promote")
@requires(Permission.ZOOM_APPS_WRITE)
def promote(zoom_app_id: UUID) -> ResponseReturnValue:
    """Record that Zoom made this pair the production pair."""
    done = "This is the production app now. No user has to reconnect."
    return _set_environment(zoom_app_id, transition.promote, done)


@bp.post("/undo-promotion")
@requires(Permission.ZOOM_APPS_WRITE)
def undo_promotion(zoom_app_id: UUID) -> ResponseReturnValue:
    """Record that the pair is the development pair after all."""
    done = "This is the development app again. Nothing else was changed."
    return _set_environment(zoom_app_id, transition.undo_promotion, done)


def _set_environment(
    zoom_app_id: UUID, change: Callable[..., bool], done: str
) -> ResponseReturnValue:
    try:
        is_new = change(runtime().database, zoom_app_id, actor=actor(), now=now())
    except ConflictError as error:
        flash(f"Nothing was changed. {error}", "trouble")
    else:
        flash(done if is_new else "It already was. Nothing was changed.", "good")
    return htmx.go_to(url_for("zoom_apps.show", zoom_app_id=zoom_app_id))


@bp.post("/production")
@requires(Permission.ZOOM_APPS_WRITE, fresh=True)
def create(zoom_app_id: UUID) -> ResponseReturnValue:
    """Verify the production credentials with Zoom and save them as the successor."""
    development = apps.get(db(), zoom_app_id)
    form = _form(development)
    if not form.validate():
        return _begin_again(development, form)
    workspace = form.workspace_id.data
    values = NewZoomApp(
        name=form.name.data or "",
        environment=Environment.PRODUCTION,
        kind=development.kind,
        scope_style=ScopeStyle(form.scope_style.data),
        joins_external=form.external.data == "yes",
        routing=Routing(form.routing.data),
        token_custody=development.token_custody,
        zoom_cloud=development.zoom_cloud,
        client_id=form.client_id.data or "",
        client_secret=SecretStr(form.client_secret.data or ""),
        secret_token=SecretStr(form.secret_token.data or ""),
        workspace_id=UUID(workspace) if workspace else None,
    )
    try:
        saved = transition.begin(runtime(), zoom_app_id, values, actor=actor())
    except credential_checks.WrongCredentialsError as error:
        form.client_id.errors = [_EITHER]
        form.client_secret.errors = [str(error)]
        return _begin_again(development, form)
    except InvalidInputError as error:
        show_on(form, error, field="client_id")
        return _begin_again(development, form)
    except transition.HereAlreadyError as error:
        show_on(form, error, field="client_id")
        return _begin_again(development, form, here=error.zoom_app_id)
    except ConflictError as error:
        show_on(form, error, field="client_id")
        return _begin_again(development, form)
    say(saved)
    return htmx.go_to(url_for("zoom_apps.show", zoom_app_id=saved.zoom_app_id))


@bp.post("/production/link")
@requires(Permission.ZOOM_APPS_WRITE)
def link(zoom_app_id: UUID) -> ResponseReturnValue:
    """Make an existing production app the successor."""
    form = LinkForm()
    if not form.validate():
        flash("Choose one of the production apps below.", "trouble")
        return _to_move(zoom_app_id)
    try:
        transition.link(
            runtime(), zoom_app_id, UUID(form.production_id.data), actor=actor()
        )
    except ConflictError as error:
        flash(f"Nothing was linked. {error}", "trouble")
    else:
        flash("Linked. Reconnected users are now counted.", "good")
    return _to_move(zoom_app_id)


@bp.post("/production/unlink")
@requires(Permission.ZOOM_APPS_WRITE)
def unlink(zoom_app_id: UUID) -> ResponseReturnValue:
    """Undo the link; both apps stay as they are."""
    try:
        transition.unlink(runtime(), zoom_app_id, actor=actor())
    except ConflictError as error:
        flash(f"Still linked. {error}", "trouble")
    else:
        flash("Unlinked. Both zoom apps stay as they are.", "good")
    return _to_move(zoom_app_id)


@bp.post("/retire")
@requires(Permission.ZOOM_APPS_WRITE)
def retire(zoom_app_id: UUID) -> ResponseReturnValue:
    """Stop monitoring the development app."""
    try:
        is_new = transition.retire(runtime(), zoom_app_id, actor=actor())
    except ConflictError as error:
        flash(f"Nothing was changed. {error}", "trouble")
    else:
        flash("Retired." if is_new else "It was already retired.", "good")
    return _to_move(zoom_app_id)


@bp.post("/bring-back")
@requires(Permission.ZOOM_APPS_WRITE)
def bring_back(zoom_app_id: UUID) -> ResponseReturnValue:
    """Monitor a retired app again."""
    is_new = transition.bring_back(runtime(), zoom_app_id, actor=actor())
    flash("Restored." if is_new else "It was already in use.", "good")
    return _to_move(zoom_app_id)


def _to_move(zoom_app_id: UUID) -> ResponseReturnValue:
    return htmx.go_to(url_for(".show", zoom_app_id=zoom_app_id))


def _form(development: ZoomApp) -> ProductionForm:
    return ProductionForm.like(development, workspaces.list_all(db()))


def _begin_page(
    development: ZoomApp,
    form: ProductionForm | None = None,
    *,
    here: UUID | None = None,
) -> str:
    return render_template(
        "going_live/begin.html",
        app=development,
        move=None,
        form=form or _form(development),
        candidates=transition.candidates(db(), development),
        here=here,
    )


def _begin_again(
    development: ZoomApp, form: ProductionForm, *, here: UUID | None = None
) -> ResponseReturnValue:
    form.client_id.data = trim(form.client_id.data or "")
    return _begin_page(development, form, here=here), _UNPROCESSABLE


def _progress_page(found: GoLiveStatus, production: ZoomApp) -> ResponseReturnValue:
    development = found.development
    move = succession.between(development, production)
    form = ProgressForm.asked()
    filters = Filters(
        search=form.search,
        zoom_app_id=development.id,
        sort=Sort.NAME,
        move=None if form.show == ALL else move,
        is_moved=form.show == MOVED,
    )
    connect_url = urls.connect_url(runtime().hosted_url, production.slug)
    may_list = current_user.can(Permission.CONNECTIONS_READ)
    wanted = request.args.get("format")
    if not may_list and (wanted or htmx.wants_fragment()):
        abort(HTTPStatus.FORBIDDEN)  # both are lists of people
    if exports.is_asked():
        rows = _rows(listing.everything(runtime().database, filters), connect_url)
        name = f"{form.show}-{development.slug}"
        return exports.respond(
            str(wanted), "connections", _COLUMNS, rows, file_name=name
        )
    listed: Page[Connection] = Page(rows=[], older=None)
    if may_list:
        listed = listing.page(db(), filters, cursor=request.args.get("cursor"))
    here = _at(development.id)
    return htmx.page_or_fragment(
        "going_live/progress.html",
        "going_live/partials/_progress.html",
        is_part=htmx.wants_fragment(),
        move=found,
        app=development,
        production=production,
        form=form,
        movers=succession.movers(db(), move, listed.rows),
        read=facts.Reader(db(), now=runtime().clock.now()),
        tabs=_tabs(found, form.show),
        connect_url=connect_url,
        here=here,
        newer_url=listed.newer and _at(development.id, cursor=listed.newer),
        older_url=listed.older and _at(development.id, cursor=listed.older),
        csv_url=_at(development.id, format="csv", cursor=None),
    )


def _tabs(found: GoLiveStatus, shown: str) -> list[dict[str, Any]]:
    done = found.progress
    if done is None:
        return []
    labels = (
        (NOT_YET, "Not reconnected", done.left),
        (MOVED, "Reconnected", done.moved),
        (ALL, "All", done.total),
    )
    return [
        {
            "label": label,
            "url": _at(found.development.id, show=show, cursor=None),
            "is_current": show == shown,
            "count": f"{count:,}",
        }
        for show, label, count in labels
    ]


def _at(zoom_app_id: UUID, **changes: str | None) -> str:
    address = url_for(".show", zoom_app_id=zoom_app_id)
    return with_query(address, _QUERY, **changes)


def _rows(found: Iterable[Connection], connect_url: str) -> Iterator[dict[str, object]]:
    for row in found:
        yield {**row.model_dump(), "connect_url": connect_url}
