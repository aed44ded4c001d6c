"""Flask-Login, wrapped: who is signed in, and nothing of its untyped ways elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import cast
from uuid import UUID
from wsgiref.types import WSGIEnvironment

from flask import Flask, session
from flask_login import (
    AnonymousUserMixin,
    LoginManager,
    UserMixin,
    current_user,
    login_user,
    logout_user,
)

from dashboard.models.staff import Role, Staff
from dashboard.services.staff.permissions import Permission, may

_STAYS = timedelta(hours=12)
_STANDS_IN = "dashboard.onlooker"


@dataclass(frozen=True)
class Person(UserMixin):  # type: ignore[misc]  # Flask-Login ships no types
    """The person signed in, as templates and views see them."""

    staff_id: UUID
    email: str
    role: Role
    session_epoch: int

    @property
    def name(self) -> str:
        """How the side bar calls them."""
        return self.email

    def get_id(self) -> str:
        """Return what the session cookie keeps: ends with the epoch."""
        return f"{self.staff_id}/{self.session_epoch}"

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


def install(app: Flask, find: Callable[[UUID], Staff | None]) -> None:
    """Set Flask-Login up; `find` looks a person up on each request."""
    manager = LoginManager()
    manager.anonymous_user = Stranger
    manager.session_protection = "basic"

    def load(kept: str) -> Person | None:
        staff_id, _, epoch = kept.partition("/")
        try:
            staff = find(UUID(staff_id))
        except ValueError:
            return None
        if staff is None or staff.disabled_at or str(staff.session_epoch) != epoch:
            return None
        return _person(staff)

    manager.user_loader(load)
    # Headers of a request are under keys of their own, so none can set this one.
    manager.request_loader(lambda request: request.environ.get(_STANDS_IN))
    manager.init_app(app)
    app.permanent_session_lifetime = _STAYS


def stand_in(environ: WSGIEnvironment, role: Role) -> None:
    """Have a request that the app makes of itself be anybody's of this role."""
    environ[_STANDS_IN] = Onlooker(role)


def begin(staff: Staff) -> None:
    """Sign the person in with a new session: nothing of the old one is kept."""
    session.clear()
    session.permanent = True
    login_user(_person(staff))


def end() -> None:
    """Sign the person out and forget the session."""
    logout_user()
    session.clear()


def person() -> Person | None:
    """Return who is signed in, or None."""
    if not current_user.is_authenticated:
        return None
    return cast("Person", current_user._get_current_object())  # noqa: SLF001 - the proxy's only way


def _person(staff: Staff) -> Person:
    return Person(staff.id, staff.email, staff.role, staff.session_epoch)
