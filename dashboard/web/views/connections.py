"""Who is connected, in what state, and what staff can do about it."""

from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import (
    Blueprint,
    Response,
    abort,
    flash,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_login import current_user

from dashboard.errors import ConflictError, GrantLostError, UpstreamError
from dashboard.models.connection import Connection
from dashboard.services.bot_tests import listed
from dashboard.services.bot_tests.listed import Listed
from dashboard.services.connections import actions, listing, pmis
from dashboard.services.connections.listing import Filters
from dashboard.services.facts import connections as facts
from dashboard.services.facts.connections import Read, Shown
from dashboard.services.grants.token_calls import Want
from dashboard.services.staff.permissions import Permission
from dashboard.services.sweep import sweep
from dashboard.services.zoom_apps import apps as zoom_apps
from dashboard.web import exports, htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, db, record, runtime
from dashboard.web.forms.connection import filter_form
from dashboard.web.pages import connection
from dashboard.web.paging import with_query

bp = Blueprint("connections", __name__, url_prefix="/connections")

_COLUMNS = (
    "id",
    "zoom_app",
    "display_name",
    "email",
    "zoom_user_id",
    "zoom_account_id",
    "pmi",
    "previous_pmi",
    "token_state",
    "token_reason",
    "who_must_act",
    "next_step",
    "token_checked_at",
    "sync_status",
    "connected_at",
    "reconnected_at",
    "recall_credential_id",
    "shown_as",
    "since",
    "valid_until",
    "next_check",
    "reference",
    "is_reference_verified",
    "tags",
)
_MORE = ("who", "sync", "custody", "checked", "reference", "tag")
_QUERY = ("q", "state", "app", *_MORE, "sort", "cursor")


@bp.get("/")
@requires(Permission.CONNECTIONS_COUNT, fresh=exports.is_asked)
def index() -> ResponseReturnValue:
    """List connections, as a page, CSV or JSON; the query string filters all three.

    People who may not see users get how many there are of each state.
    """
    if not current_user.can(Permission.CONNECTIONS_READ):
        return _counts_page()
    apps = zoom_apps.list_all(db())
    form = filter_form(apps)
    now = runtime().clock.now()
    filters = form.filters(now=now)
    names = {app.id: app.name for app in apps}
    read = facts.Reader(db(), now=now)
    wanted = request.args.get("format")
    if exports.is_asked():
        found = listing.everything(runtime().database, filters)
        rows = _rows(found, names, read)
        return exports.respond(str(wanted), "connections", _COLUMNS, rows)
    cursor = request.args.get("cursor")
    page, counts = listing.listed(db(), filters, cursor=cursor, read=read)
    return htmx.page_or_fragment(
        "connections/index.html",
        "connections/partials/_list.html",
        form=form,
        filters=filters,
        rows=page.rows,
        names=names,
        claimed_twice=pmis.claimed_twice(
            db(), {row.pmi for row in page.rows if row.pmi}
        ),
        once_called=listing.once_called(db(), page.rows, filters.search),
        tabs=_tabs(counts, filters),
        progress=sweep.progress(db(), now=now),
        worker=read.worker,
        read=read,
        newer_url=_at(cursor=page.newer) if page.newer else None,
        older_url=_at(cursor=page.older) if page.older else None,
        here=_at(),
        csv_url=_at(format="csv", cursor=None),
        json_url=_at(format="json", cursor=None),
        is_filtered=filters != Filters(sort=filters.sort),
        is_folded_out=any(form.data[name] for name in _MORE),
    )


@bp.get("/<uuid:connection_id>")
@requires(Permission.CONNECTIONS_READ)
def show(connection_id: UUID) -> Response:
    """Show one connection; htmx asks for the live part."""
    return connection.show_page(connection_id)


@bp.get("/<uuid:connection_id>/recall-log")
@requires(Permission.CONNECTIONS_READ)
def recall_log(connection_id: UUID) -> Response:
    """Ask Recall what it noted about the credential."""
    row = listing.get(db(), connection_id)
    return htmx.page_or_fragment(
        "connections/recall_log.html",
        "connections/partials/_recall_log.html",
        connection=row,
        log=actions.recall_log(runtime(), connection_id),
    )


@bp.post("/<uuid:connection_id>/check")
@requires(Permission.CONNECTIONS_CHECK)
def check(connection_id: UUID) -> Response:
    """Look at it now."""
    record("connection.checked", f"connection {connection_id}")
    try:
        checked = actions.try_again(runtime(), connection_id, actor=actor())
    except UpstreamError as error:
        return _not_done(
            connection_id, error, end=" The last known state is unchanged."
        )
    seen = facts.of(db(), checked.connection, now=runtime().clock.now())
    said = " ".join(["Checked.", seen.reason, *checked.missed])
    flash(said, "waiting" if checked.missed and seen.tone == "good" else seen.tone)
    return htmx.go_to(url_for(".show", connection_id=connection_id))


@bp.post("/<uuid:connection_id>/sync")
@requires(Permission.CONNECTIONS_CHECK)
def sync(connection_id: UUID) -> Response:
    """Ask Recall to read the user's meetings again."""
    try:
        actions.sync_meetings(runtime(), connection_id, actor=actor())
    except UpstreamError as error:
        return _not_done(connection_id, error)
    flash("Meeting sync started. Meetings appear below automatically.", "good")
    return htmx.go_to(url_for(".show", connection_id=connection_id))


@bp.post("/<uuid:connection_id>/replace-key")
@requires(Permission.CONNECTIONS_WRITE, fresh=True)
def replace_key(connection_id: UUID) -> Response:
    """End the address where Recall fetches the tokens, and register a new one."""
    try:
        actions.replace_key(runtime(), connection_id, actor=actor())
        row = actions.try_again(runtime(), connection_id).connection
    except UpstreamError as error:
        return _not_done(connection_id, error)
    done = "The former token address has ended."
    seen = facts.of(db(), row, now=runtime().clock.now())
    flash(f"{done} {seen.reason}", seen.tone)
    return htmx.go_to(url_for(".show", connection_id=connection_id))


@bp.post("/<uuid:connection_id>/bots")
@requires(Permission.CONNECTIONS_CHECK)
def bots(connection_id: UUID) -> str:
    """Ask Recall for the bots in a connection's meetings, and show its answer."""
    try:
        found = listed.of_connection(runtime(), connection_id)
    except ConflictError as error:
        found = Listed(problem=str(error))
    row = listing.get(db(), connection_id)
    return render_template("bot_tests/listed.html", connection=row, found=found)


@bp.post("/<uuid:connection_id>/try/<which>")
@requires(Permission.CONNECTIONS_CHECK)
def try_token(connection_id: UUID, which: str) -> Response:
    """Fetch a bot's token of this user from Zoom, and drop it."""
    if which not in (Want.ZAK, Want.OBF):
        abort(404)
    try:
        actions.try_bot_token(runtime(), connection_id, Want(which))
    except UpstreamError as error:
        return _not_done(connection_id, error)
    except GrantLostError:
        lost = "Zoom no longer accepts this authorization. The user must reconnect."
        flash(lost, "trouble")
    else:
        flash(f"Zoom gave a token ({which.upper()}). It was not kept.", "good")
    return htmx.go_to(url_for(".show", connection_id=connection_id))


@bp.post("/<uuid:connection_id>/disconnect")
@requires(Permission.CONNECTIONS_WRITE)
def destroy(connection_id: UUID) -> Response:
    """Delete the credential in Recall and what is kept of the user here."""
    try:
        actions.disconnect(runtime(), connection_id, actor=actor())
    except UpstreamError as error:
        return _not_done(connection_id, error, "Nothing was deleted here. ")
    flash(
        "Disconnected. The credential in Recall and the user's data here are deleted.",
        "good",
    )
    return htmx.go_to(url_for(".index"))


def _counts_page() -> ResponseReturnValue:
    if "format" in request.args:
        abort(HTTPStatus.FORBIDDEN)
    apps = zoom_apps.list_all(db())
    form = filter_form(apps)
    now = runtime().clock.now()
    # Any other filter would say of one person whether they are here.
    filters = Filters(zoom_app_id=form.filters(now=now).zoom_app_id, as_of=now)
    counts = listing.counts(db(), filters) or {}
    return htmx.page_or_fragment(
        "connections/counts.html",
        "connections/partials/_counts.html",
        form=form,
        apps=apps,
        rows=[
            (facts.WORDS[state], facts.TONES[state], _counted(number, counts))
            for state, number in counts.items()
        ],
        total=_counted(sum(counts.values()), counts),
        here=with_query(url_for(".index"), ("app",)),
    )


def _not_done(
    connection_id: UUID, error: UpstreamError, start: str = "", end: str = ""
) -> Response:
    tone = "waiting" if error.retryable else "trouble"
    flash(f"{start}{error.message()}{end}", tone)
    return htmx.go_to(url_for(".show", connection_id=connection_id))


def _tabs(counts: Mapping[Shown, int] | None, filters: Filters) -> list[dict[str, Any]]:
    entries = [
        {
            "label": "All",
            "url": _at(state=None, cursor=None),
            "is_current": filters.state is None,
            "count": None if counts is None else _counted(sum(counts.values()), counts),
        }
    ]
    entries += [
        {
            "label": facts.WORDS[state],
            "url": _at(state=state.value, cursor=None),
            "is_current": filters.state is state,
            "count": None if counts is None else _counted(counts[state], counts),
        }
        for state in Shown
    ]
    return entries


def _counted(number: int, counts: Mapping[Shown, int]) -> str:
    """Write a count; of a filtered list more than 1,000 in a state are "1,000+"."""
    most = listing.MOST_COUNTED
    is_more = most + 1 in counts.values() and number > most
    return f"{most:,}+" if is_more else f"{number:,}"


def _at(**changes: str | None) -> str:
    return with_query(url_for(".index"), _QUERY, **changes)


def _rows(
    found: Iterable[Connection], names: Mapping[UUID, str], read: Read
) -> Iterator[dict[str, object]]:
    for row in found:
        values = {name: getattr(row, name, None) for name in _COLUMNS}
        values["zoom_app"] = names.get(row.zoom_app_id, "")
        stands = read(row)
        values["token_reason"] = stands.reason
        values["who_must_act"] = stands.who
        values["next_step"] = stands.next_step
        values["shown_as"] = stands.shown
        values["since"] = stands.since
        values["valid_until"] = stands.valid_until
        values["next_check"] = stands.next_check
        yield values
