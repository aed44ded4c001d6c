"""The page of one connection: what is known of it, and what happened to it."""

from typing import Any
from uuid import UUID

from flask import Response, request, url_for

from dashboard.models.connection import Connection
from dashboard.models.erasure import Erasure
from dashboard.models.held_grant import HeldGrant
from dashboard.models.zoom_app import Kind
from dashboard.services import former_emails, urls
from dashboard.services.bot_tests import runs
from dashboard.services.connections import listing, members, pmis
from dashboard.services.erasure import erasures
from dashboard.services.facts import connections as facts
from dashboard.services.grants import own_servers
from dashboard.services.timeline import timeline
from dashboard.services.token_states import join_tokens
from dashboard.services.zoom_apps import apps
from dashboard.web import htmx
from dashboard.web.context import db, runtime
from dashboard.web.paging import with_query

_QUERY = ("meeting", "member", "after", "before", "webhooks")
_LONGEST = 200
_LINES, _USERS = 25, 15


def show_page(connection_id: UUID) -> Response:
    """Render the page, or for htmx the live part of it.

    Raises:
        NotFoundError: There is no such connection.
    """
    row = listing.get(db(), connection_id)
    now = runtime().clock.now()
    read = facts.Reader(db(), now=now)
    app = apps.get(db(), row.zoom_app_id)
    is_account = app.kind is Kind.ACCOUNT_LEVEL
    meeting = request.args.get("meeting", "")[:_LONGEST]
    callback = own_servers.callback_of(db(), row.id)
    has_webhooks = request.args.get("webhooks") != "no"
    lines = timeline.lines(
        db(),
        row,
        before=request.args.get("before"),
        limit=_LINES,
        has_webhooks=has_webhooks,
    )
    return htmx.page_or_fragment(
        "connections/show.html",
        "connections/partials/_live.html",
        connection=row,
        erasure=_erasure(row),
        grant=db().get(HeldGrant, row.id),
        callback=callback,
        callback_words="" if callback is None else own_servers.words(callback),
        app=app,
        is_account=is_account,
        here=_at(row),
        standing=read(row),
        now=now,
        worker=read.worker,
        setting=join_tokens.SETTING,
        test_bot=_test_bot(row),
        former_emails=former_emails.of(db(), row.id),
        pmi_status=pmis.status_of(db(), row, now=now),
        meeting=meeting,
        meetings=listing.meetings(db(), row.id, number=meeting),
        most_meetings=listing.MOST_MEETINGS,
        lines=lines.lines,
        older_url=_at(row, before=lines.older) if lines.older else None,
        newest_url=_at(row, before=None) if request.args.get("before") else None,
        has_webhooks=has_webhooks,
        webhooks_url=_at(row, before=None, webhooks="no" if has_webhooks else None),
        reconnect_url=urls.connect_url(runtime().hosted_url, app.slug),
        **(_members(row) if is_account else {}),
    )


def _test_bot(row: Connection) -> dict[str, Any] | None:
    found = runs.newest_of(db(), row.id)
    return None if found is None else {"row": found, "verdict": runs.verdict_of(found)}


def _erasure(row: Connection) -> Erasure | None:
    if row.deauthorized_at is None:
        return None
    return erasures.pending(db(), runtime().vault, row)


def _members(row: Connection) -> dict[str, Any]:
    search = request.args.get("member", "")[:_LONGEST]
    after = request.args.get("after", "")[:_LONGEST]
    found = members.page(db(), row.id, search=search, after=after, limit=_USERS)
    return {
        "member": search,
        "members": found.members,
        "member_count": members.count(db(), row.id),
        "members_next_url": _at(row, after=found.after) if found.after else None,
        "members_first_url": _at(row, after=None)
        if request.args.get("after")
        else None,
        "claimed_twice": pmis.claimed_twice(
            db(), {one.pmi for one in found.members if one.pmi}
        ),
    }


def _at(row: Connection, **changes: str | None) -> str:
    address = url_for("connections.show", connection_id=row.id)
    return with_query(address, _QUERY, **changes)
