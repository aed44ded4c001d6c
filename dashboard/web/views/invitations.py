"""Links made for one person: list, make one or many, revoke; and reconnect links.

A link's address is shown once, in the answer to the form that made it: only its hash is
stored.
"""

import base64
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from flask import (
    Blueprint,
    Response,
    flash,
    make_response,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue

from dashboard.errors import ConflictError, InvalidInputError
from dashboard.services.connections import listing
from dashboard.services.invitations import csv_import, invitations
from dashboard.services.invitations.invitations import Made, Wanted
from dashboard.services.staff.permissions import Permission
from dashboard.services.user_mail import mails
from dashboard.services.zoom_apps import apps as zoom_apps
from dashboard.web import exports, htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, db, now, runtime
from dashboard.web.errors import show_on
from dashboard.web.forms.invitation import (
    InvitationForm,
    ListForm,
    invitation_filter,
)
from dashboard.web.paging import with_query

bp = Blueprint("invitations", __name__, url_prefix="/connections")

_QUERY = ("state", "app")


@bp.get("/invitations/")
@requires(Permission.INVITATIONS_READ)
def index() -> ResponseReturnValue:
    """List links, newest first; every filter is in the query string."""
    apps = zoom_apps.list_all(db())
    form = invitation_filter(apps)
    filters, cursor = form.filters(), request.args.get("cursor")
    found = invitations.page(db(), filters, cursor=cursor)
    states = {one.id: invitations.state_of(one, now=now()) for one in found.rows}
    return htmx.page_or_fragment(
        "invitations/index.html",
        "invitations/partials/_list.html",
        form=form,
        rows=found.rows,
        states=states,
        words=invitations.STATE_WORDS,
        mails=mails.newest(db(), [one.id for one in found.rows]),
        mail_words=mails.WORDS,
        usable=invitations.USABLE,
        names={app.id: app.name for app in apps},
        is_filtered=filters != invitations.Filters(),
        newest_url=_at() if cursor else None,
        older_url=_at(cursor=found.older) if found.older else None,
    )


@bp.get("/invitations/new")
@requires(Permission.INVITATIONS_WRITE)
def new() -> str:
    """Show the forms for one link and for many."""
    return _new_page(InvitationForm(), ListForm())


@bp.post("/invitations/")
@requires(Permission.INVITATIONS_WRITE)
def create() -> ResponseReturnValue:
    """Make one link and show it, once."""
    form, other = InvitationForm(), ListForm(formdata=None)
    form.offer(zoom_apps.list_all(db()))
    app_id = form.zoom_app_id()
    if not form.validate() or app_id is None:
        return _new_page(form, other), 422
    try:
        person = csv_import.one(
            form.email.data or "", form.user_ref.data or "", form.tags.data or ""
        )
        made = _make(app_id, [person], form)
    except InvalidInputError as error:
        show_on(form, error, field="email")
        return _new_page(form, other), 422
    except ConflictError as error:
        form.form_errors.append(str(error))
        return _new_page(form, other), 409
    return _made_page(made, app_id)


@bp.post("/invitations/list")
@requires(Permission.INVITATIONS_WRITE)
def create_many() -> ResponseReturnValue:
    """Make a link for each line of a list and show them, once."""
    form, other = ListForm(), InvitationForm(formdata=None)
    form.offer(zoom_apps.list_all(db()))
    app_id = form.zoom_app_id()
    if form.file.data:
        # Shown again, to be fixed.
        form.people.data = csv_import.decode(form.file.data.read())
    if not form.validate() or app_id is None:
        return _new_page(other, form), 422
    found = csv_import.parse(form.people.data or "")
    if found.errors:
        return _new_page(other, form, errors=found.errors), 422
    try:
        made = _make(app_id, found.wanted, form)
    except InvalidInputError as error:
        show_on(form, error, field="return_url")
        return _new_page(other, form), 422
    except ConflictError as error:
        form.form_errors.append(str(error))
        return _new_page(other, form), 409
    return _made_page(made, app_id)


@bp.post("/invitations/<uuid:invitation_id>/revoke")
@requires(Permission.INVITATIONS_WRITE)
def revoke(invitation_id: UUID) -> Response:
    """Take a link back."""
    try:
        with runtime().database.writing() as session:
            invitations.revoke(session, invitation_id, actor=actor(), now=now())
    except ConflictError as error:
        flash(str(error), "trouble")
    else:
        flash("Revoked. The link no longer works.", "good")
    return htmx.go_to(url_for(".index"))


@bp.post("/<uuid:connection_id>/reconnect-link")
@requires(Permission.CONNECTIONS_INVITE)
def renew(connection_id: UUID) -> ResponseReturnValue:
    """Make the link that renews one connection, and show it once."""
    try:
        with runtime().database.writing() as session:
            row = listing.get(session, connection_id)
            made = invitations.reconnect_link(session, row, actor=actor(), now=now())
    except ConflictError as error:
        flash(str(error), "trouble")
        return htmx.go_to(url_for("connections.show", connection_id=connection_id))
    return _made_page([made], row.zoom_app_id, connection_id=connection_id)


def _make(
    app_id: UUID, people: Sequence[Wanted], form: InvitationForm | ListForm
) -> Sequence[Made]:
    with runtime().database.writing() as session:
        made = invitations.make(
            session,
            zoom_apps.get(session, app_id),
            [replace(one, return_url=form.return_url.data or "") for one in people],
            days=form.expires_days.data or invitations.LASTS_DAYS,
            batch=form.batch_id(),
            actor=actor(),
            now=now(),
        )
        if form.sends.data:
            mails.require_server(runtime().settings)
            mails.write(
                session,
                runtime().vault,
                made,
                remind_days=form.remind_days.data or 0,
                now=now(),
            )
        return made


def _new_page(
    form: InvitationForm,
    list_form: ListForm,
    *,
    errors: Sequence[csv_import.LineError] = (),
) -> str:
    apps = zoom_apps.list_all(db())
    for one in (form, list_form):
        one.offer(apps)
    return render_template(
        "invitations/new.html",
        form=form,
        list_form=list_form,
        errors=errors[: csv_import.MOST_ERRORS],
        more_errors=max(0, len(errors) - csv_import.MOST_ERRORS),
        has_mail=runtime().settings.mail_server is not None,
    )


def _made_page(
    made: Sequence[Made], app_id: UUID, *, connection_id: UUID | None = None
) -> Response:
    app = zoom_apps.get(db(), app_id)
    rows = csv_import.link_rows(made, app, hosted_url=runtime().hosted_url)
    table = "".join(exports.csv_lines(csv_import.COLUMNS, rows))
    response = make_response(
        render_template(
            "invitations/made.html",
            app=app,
            rows=rows,
            csv=table,
            download=base64.b64encode(table.encode()).decode(),
            expires_at=made[0].invitation.expires_at,
            connection_id=connection_id,
            mailed=len(mails.newest(db(), [one.invitation.id for one in made])),
        )
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _at(**changes: str | None) -> str:
    return with_query(url_for(".index"), _QUERY, **changes)
