"""Where people are signed in: one's own sessions, and anybody's for admins."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask import Blueprint, Response, flash, request, url_for

from dashboard.errors import NotFoundError
from dashboard.models.staff import Staff
from dashboard.services import audit
from dashboard.services.staff import accounts, sessions
from dashboard.services.staff.permissions import Permission
from dashboard.web import htmx, signin, user_agents
from dashboard.web.access import requires, signed_in
from dashboard.web.context import actor, db, now, runtime

bp = Blueprint("sessions", __name__)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A session as a page shows it.

    Attributes:
        handle: Names it in addresses.
        browser: In plain words.
        is_this: Whether the page is shown in it.
    """

    handle: str
    browser: str
    address: str
    created_at: datetime
    last_used_at: datetime
    is_this: bool


def rows(staff_id: UUID) -> list[Row]:
    """Return the sessions of a person, this one first."""
    who = signin.person()
    found = [
        Row(
            handle=sessions.handle_of(each),
            browser=user_agents.words(each.user_agent),
            address=each.address,
            created_at=each.created_at,
            last_used_at=each.last_used_at,
            is_this=who is not None and each.id == who.session_id,
        )
        for each in sessions.of_person(
            db(),
            staff_id,
            lifetime=sessions.Lifetime.of(runtime().settings),
            now=now(),
        )
    ]
    return sorted(found, key=lambda row: not row.is_this)


def _is_elsewhere() -> bool:
    """Whether it is about a session other than this browser's; signing out is free."""
    who = signin.signed_in_person()
    return (request.view_args or {}).get("handle") not in {
        row.handle for row in rows(who.staff_id) if row.is_this
    }


@bp.post("/account/sessions/<handle>/end")
@signed_in(before_set_up=True, fresh=_is_elsewhere)
def end_own(handle: str) -> Response:
    """End one of one's own sessions; this one too."""
    who = signin.signed_in_person()
    _end(accounts.get(db(), who.staff_id), handle)
    flash("Signed out there.", "good")
    return htmx.go_to(url_for("account.index"))


@bp.post("/account/sessions/end-others")
@signed_in(before_set_up=True, fresh=True)
def end_others() -> Response:
    """End all of one's own sessions but this one."""
    who = signin.signed_in_person()
    with runtime().database.writing() as writing:
        sessions.end_others(writing, who.staff_id, who.session_id)
        audit.record(writing, actor(), "session.ended", subject="all others", now=now())
    flash("Signed out everywhere else.", "good")
    return htmx.go_to(url_for("account.index"))


@bp.post("/staff/<uuid:staff_id>/sessions/<handle>/end")
@requires(Permission.STAFF_WRITE, fresh=True)
def end_one(staff_id: UUID, handle: str) -> Response:
    """End a session of somebody."""
    person = accounts.get(db(), staff_id)
    accounts.require_may_manage(person.role, actor())
    _end(person, handle)
    flash(f"Signed {person.email} out there.", "good")
    return htmx.go_to(url_for("staff.edit", staff_id=staff_id))


@bp.post("/staff/<uuid:staff_id>/sessions/end")
@requires(Permission.STAFF_WRITE, fresh=True)
def end_all(staff_id: UUID) -> Response:
    """End every session of somebody."""
    person = accounts.get(db(), staff_id)
    accounts.require_may_manage(person.role, actor())
    with runtime().database.writing() as writing:
        sessions.end_all(writing, staff_id)
        audit.record(writing, actor(), "session.ended", subject=person.email, now=now())
    flash(f"Signed {person.email} out everywhere.", "good")
    return htmx.go_to(url_for("staff.edit", staff_id=staff_id))


def _end(person: Staff, handle: str) -> None:
    with runtime().database.writing() as writing:
        if not sessions.end_one_of(writing, person.id, handle):
            raise NotFoundError("session")
        audit.record(writing, actor(), "session.ended", subject=person.email, now=now())
