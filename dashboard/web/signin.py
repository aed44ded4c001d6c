"""Flask-Login, wrapped: who is signed in, and nothing of its untyped ways elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID
from wsgiref.types import WSGIEnvironment

from flask import Flask, request, session
from flask_login import (
    AnonymousUserMixin,
    LoginManager,
    UserMixin,
    current_user,
    logout_user,
)

from dashboard.models.staff import Role, Staff, StaffSession
from dashboard.services.staff import sessions
from dashboard.services.staff.permissions import Permission, may

Find = Callable[[str], tuple[StaffSession, Staff] | None]
"""Takes the secret of a cookie; returns the session and its person while it lasts."""

LIVE = "Live"
"""The header of a request that a page makes to keep itself up to date (live.js)."""

_STANDS_IN = "dashboard.onlooker"


@dataclass(frozen=True)
class Person(UserMixin):  # type: ignore[misc]  # Flask-Login ships no types
    """The person signed in, as templates and views see them."""

    staff_id: UUID
    email: str
    role: Role
    session_id: str
    last_used_at: datetime

    @property
    def name(self) -> str:
        """How the side bar calls them."""
        return self.email

    def can(self, permission: str) -> bool:
        """Whether the person may do this; a misspelt permission raises ValueError."""
        return may(self.role, Permission(permission))


@dataclass(frozen=True)
class Onlooker(UserMixin):  # type: ignore[misc]  # as above
    """Anybody of a role: what is drawn for one of them may be shown to all.

    There is no name to show by mistake: a template that asks for one raises.
    """

    role: Role

    def can(self, permission: str) -> bool:
        """Whether people of the role may do this."""
        return may(self.role, Permission(permission))


class Stranger(AnonymousUserMixin):  # type: ignore[misc]  # as above
    """Nobody is signed in."""

    def can(self, permission: str) -> bool:
        """Nothing is allowed; a misspelt permission raises ValueError."""
        Permission(permission)
        return False


def install(app: Flask, find: Find) -> None:
    """Set Flask-Login up; `find` looks a session up on each request."""
    manager = LoginManager()
    manager.anonymous_user = Stranger
    manager.session_protection = None  # the session's row decides

    def load(secret: str) -> Person | None:
        found = find(secret)
        if found is None:
            return None
        row, staff = found
        return Person(staff.id, staff.email, staff.role, row.id, row.last_used_at)

    manager.user_loader(load)
    # Headers of a request are under keys of their own, so none can set this one.
    manager.request_loader(lambda request: request.environ.get(_STANDS_IN))
    manager.init_app(app)
    # The cookie ends with the session, and is not sent again with every page.
    app.permanent_session_lifetime = sessions.LASTS
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False


def is_of_person() -> bool:
    """Whether a person asks, and not a page that keeps itself up to date."""
    return request.endpoint != "live.stream" and LIVE not in request.headers


def stand_in(environ: WSGIEnvironment, role: Role) -> None:
    """Have a request that the app makes of itself be anybody's of this role."""
    environ[_STANDS_IN] = Onlooker(role)


def begin(secret: str) -> None:
    """Give the browser a session that begins: nothing of the old one is kept."""
    session.clear()
    session.permanent = True
    session["_user_id"] = secret  # where Flask-Login looks


def end() -> None:
    """Forget the session in this browser."""
    logout_user()
    session.clear()


def person() -> Person | None:
    """Return who is signed in, or None."""
    if not current_user.is_authenticated:
        return None
    return cast("Person", current_user._get_current_object())  # noqa: SLF001 - the proxy's only way
