"""Alert channels: added, changed, tested and removed, by admins."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, flash, render_template, url_for
from flask.typing import ResponseReturnValue
from pydantic import SecretStr

from dashboard.errors import InvalidInputError, SendError
from dashboard.services.alert_channels import channels
from dashboard.services.alerts import listing, sending
from dashboard.services.staff.permissions import Permission
from dashboard.services.zoom_apps import apps as zoom_apps
from dashboard.web import htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, db, now, runtime
from dashboard.web.errors import show_on
from dashboard.web.forms.alert import ChannelForm, NewChannelForm, filled

bp = Blueprint("alert_channels", __name__, url_prefix="/alerts/channels")


@bp.get("/new")
@requires(Permission.ALERTS_WRITE)
def new() -> str:
    """Show the form for another channel."""
    return _new_page(NewChannelForm())


@bp.post("/new")
@requires(Permission.ALERTS_WRITE, fresh=True)
def create() -> ResponseReturnValue:
    """Add a channel."""
    form = NewChannelForm()
    form.offer(zoom_apps.list_all(db()))
    if not form.validate():
        return _new_page(form), HTTPStatus.UNPROCESSABLE_ENTITY
    try:
        rule = form.rule()
        with runtime().database.writing() as session:
            channel = channels.add(
                session,
                runtime().vault,
                runtime().settings,
                kind=form.chosen(),
                name=form.name.data or "",
                url=SecretStr(form.url.data or ""),
                rule=rule,
                actor=actor(),
                now=now(),
            )
    except InvalidInputError as error:
        show_on(form, error, field="url")
        return _new_page(form), HTTPStatus.UNPROCESSABLE_ENTITY
    flash("Saved. Now send a test.", "good")
    return htmx.go_to(url_for(".show", channel_id=channel.id))


@bp.get("/<uuid:channel_id>")
@requires(Permission.ALERTS_WRITE)
def show(channel_id: UUID) -> str:
    """Show a channel, how it does, and what can be changed."""
    return _edit_page(channel_id, filled(channels.get(db(), channel_id)))


@bp.post("/<uuid:channel_id>")
@requires(Permission.ALERTS_WRITE, fresh=True)
def update(channel_id: UUID) -> ResponseReturnValue:
    """Change a channel; an empty address keeps its own."""
    form = ChannelForm()
    form.offer(zoom_apps.list_all(db()))
    if not form.validate():
        return _edit_page(channel_id, form), HTTPStatus.UNPROCESSABLE_ENTITY
    typed = form.url.data
    try:
        rule = form.rule()
        with runtime().database.writing() as session:
            channels.change(
                session,
                runtime().vault,
                runtime().settings,
                channel_id,
                name=form.name.data or "",
                url=SecretStr(typed) if typed else None,
                rule=rule,
                actor=actor(),
                now=now(),
            )
    except InvalidInputError as error:
        show_on(form, error, field="url")
        return _edit_page(channel_id, form), HTTPStatus.UNPROCESSABLE_ENTITY
    flash("Saved.", "good")
    return htmx.go_to(url_for(".show", channel_id=channel_id))


@bp.post("/<uuid:channel_id>/test")
@requires(Permission.ALERTS_WRITE)
def test(channel_id: UUID) -> ResponseReturnValue:
    """Send a real message."""
    try:
        channel = sending.test(runtime(), channel_id, actor=actor())
    except SendError as error:
        flash(f"The test was not sent. {error}", "trouble")
    else:
        flash(f"The test was sent to {channel.shown}. Check that it arrived.", "good")
    return htmx.go_to(url_for(".show", channel_id=channel_id))


@bp.post("/<uuid:channel_id>/remove")
@requires(Permission.ALERTS_WRITE)
def remove(channel_id: UUID) -> ResponseReturnValue:
    """Delete a channel and its messages."""
    with runtime().database.writing() as session:
        channel = channels.remove(session, channel_id, actor=actor(), now=now())
    flash(f"Removed {channel.name}.", "good")
    return htmx.go_to(url_for("alerts.index"))


def _new_page(form: NewChannelForm) -> str:
    form.offer(zoom_apps.list_all(db()))
    return render_template(
        "alerts/new_channel.html",
        form=form,
        hints={
            channels.KIND_LABELS[kind]: hint for kind, hint in channels.HINTS.items()
        },
        has_mail=runtime().settings.mail_server is not None,
    )


def _edit_page(channel_id: UUID, form: ChannelForm) -> str:
    channel = channels.get(db(), channel_id)
    form.offer(zoom_apps.list_all(db()))
    return render_template(
        "alerts/channel.html",
        form=form,
        channel=channel,
        label=channels.KIND_LABELS[channel.kind],
        hint=channels.HINTS[channel.kind],
        is_failing=channels.is_failing(channel, now=now()),
        messages=listing.recent(db(), channel),
        outcomes=listing.OUTCOMES,
    )
