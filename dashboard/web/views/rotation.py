"""Changing secrets with Zoom's help: announcing a new token, a new secret by API."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, flash, render_template, url_for
from flask.typing import ResponseReturnValue
from pydantic import SecretStr

from dashboard.errors import ConflictError, InvalidInputError, VaultError
from dashboard.pasted import trim_secret
from dashboard.services.rotation import at_zoom, rotations
from dashboard.services.rotation.at_zoom import Found
from dashboard.services.staff.permissions import Permission
from dashboard.services.zoom_apps import apps
from dashboard.web import htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, db, runtime
from dashboard.web.errors import show_on
from dashboard.web.forms.zoom_app import KeptTokenForm, MarketplaceTokenForm
from dashboard.web.pages.zoom_app import say

bp = Blueprint("rotation", __name__, url_prefix="/zoom-apps")


@bp.post("/<uuid:zoom_app_id>/begin-rotation")
@requires(Permission.ZOOM_APPS_WRITE)
def begin(zoom_app_id: UUID) -> ResponseReturnValue:
    """Defer events signed with an unknown token for half an hour; Zoom retries them."""
    rotations.announce(runtime(), zoom_app_id, actor=actor())
    flash(
        "Regenerate the secret token in Zoom now, then enter it here. No events are "
        "lost: Zoom retries them.",
        "good",
    )
    return htmx.go_to(url_for("zoom_apps.edit", zoom_app_id=zoom_app_id))


@bp.get("/<uuid:zoom_app_id>/client-secret")
@requires(Permission.ZOOM_APPS_WRITE)
def new_secret(zoom_app_id: UUID) -> str:
    """Ask for a Marketplace token."""
    return _page(zoom_app_id, MarketplaceTokenForm())


@bp.post("/<uuid:zoom_app_id>/client-secret")
@requires(Permission.ZOOM_APPS_WRITE)
def look_up(zoom_app_id: UUID) -> ResponseReturnValue:
    """Show what app it is at Zoom, to be confirmed."""
    form = MarketplaceTokenForm()
    if not form.validate():
        return _page(zoom_app_id, form), HTTPStatus.UNPROCESSABLE_ENTITY
    token = trim_secret(SecretStr(form.token.data or ""))
    try:
        found = at_zoom.look_up(runtime(), zoom_app_id, token)
    except InvalidInputError as error:
        show_on(form, error, field="token")
        return _page(zoom_app_id, form), HTTPStatus.UNPROCESSABLE_ENTITY
    sealed = runtime().vault.seal_text(
        token, table="form", column="token", row=_row(zoom_app_id)
    )
    return _page(zoom_app_id, form, found=found, kept=sealed.hex())


@bp.post("/<uuid:zoom_app_id>/client-secret/rotate")
@requires(Permission.ZOOM_APPS_WRITE)
def rotate(zoom_app_id: UUID) -> ResponseReturnValue:
    """Have Zoom make a new client secret, store it and give it to Recall."""
    there = url_for("zoom_apps.show", zoom_app_id=zoom_app_id)
    form = KeptTokenForm()
    try:
        sealed = bytes.fromhex(form.kept.data or "")
        token = runtime().vault.open_text(
            sealed, table="form", column="token", row=_row(zoom_app_id)
        )
    except (ValueError, VaultError):
        flash("This page has expired. Paste the token again.", "trouble")
        return htmx.go_to(url_for(".new_secret", zoom_app_id=zoom_app_id))
    try:
        changed = at_zoom.rotate(runtime(), zoom_app_id, token, actor=actor())
    except (ConflictError, InvalidInputError) as error:
        flash(str(error), "trouble")
        return htmx.go_to(there)
    say(changed.saved)
    if changed.is_pending:
        flash(
            "Not sent to Recall yet. The reason and the next attempt are shown below.",
            "waiting",
        )
    return htmx.go_to(there)


def _row(zoom_app_id: UUID) -> str:
    """Return what a kept token is bound to: who pasted it, for which app."""
    return f"{actor().staff_id} {zoom_app_id}"


def _page(
    zoom_app_id: UUID,
    form: MarketplaceTokenForm,
    *,
    found: Found | None = None,
    kept: str = "",
) -> str:
    return render_template(
        "rotation/new_secret.html",
        app=apps.get(db(), zoom_app_id),
        form=form,
        found=found,
        kept=kept,
    )
