"""Flask-Login, wrapped: who is signed in, and nothing of its untyped ways elsewhere."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID
from wsgiref.types import WSGIEnvironment

from flask import Flask, request, session
from flask.sessions import SecureCookieSessionInterface
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

Limits = frozenset[UUID] | None
"""The zoom apps that somebody is limited to; None: to none."""

Find = Callable[[str], tuple[StaffSession, Staff, Limits] | None]
"""Takes the secret of a cookie; returns the session, its person and what limits the
person, while it lasts."""

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
    second_factor: str = ""
    proven_at: datetime | None = None
    zoom_apps: Limits = None
    time_zone: str = ""
    theme: str = ""

    @property
    def name(self) -> str:
        """How the side bar calls them."""
        return self.email

    @property
    def onlooker(self) -> "Onlooker":
        """Anybody who sees the same."""
        return Onlooker(self.role, self.zoom_apps, self.time_zone)

    def can(self, permission: str) -> bool:
        """Whether the person may do this; a misspelt permission raises ValueError."""
        return may(self.role, Permission(permission))


@dataclass(frozen=True)
class Onlooker(UserMixin):  # type: ignore[misc]  # as above
    """Anybody of a role with the same limits and time zone: all are shown the same.

    There is no name to show by mistake: a template that asks for one raises.
    """

    role: Role
    zoom_apps: Limits = None
    time_zone: str = ""

    def can(self, permission: str) -> bool:
        """Whether people of the role may do this."""
        return may(self.role, Permission(permission))


class Stranger(AnonymousUserMixin):  # type: ignore[misc]  # as above
    """Nobody is signed in."""

    def can(self, permission: str) -> bool:
        """Nothing is allowed; a misspelt permission raises ValueError."""
        Permission(permission)
        return False


class _Cookies(SecureCookieSessionInterface):
    """Signs with SHA-256; Flask's own way is SHA-1."""

    digest_method = staticmethod(hashlib.sha256)


def install(app: Flask, find: Find, lifetime: sessions.Lifetime) -> None:
    """Set Flask-Login up; `find` looks a session up on each request."""
    manager = LoginManager()
    manager.anonymous_user = Stranger
    manager.session_protection = None  # the session's row decides

    def load(secret: str) -> Person | None:
        found = find(secret)
        if found is None:
            return None
        row, staff, zoom_apps = found
        return Person(
            staff.id,
            staff.email,
            staff.role,
            row.id,
            row.last_used_at,
            row.second_factor,
            row.proven_at,
            zoom_apps,
            staff.time_zone,
            staff.theme,
        )

    manager.user_loader(load)
    # Headers of a request are under keys of their own, so none can set this one.
    manager.request_loader(lambda request: request.environ.get(_STANDS_IN))
    manager.init_app(app)
    # The cookie ends with the session, and is not sent again with every page.
    app.permanent_session_lifetime = lifetime.longest
    app.session_interface = _Cookies()
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False


def is_of_person() -> bool:
    """Whether a person asks, and not a page that keeps itself up to date."""
    return request.endpoint != "live.stream" and LIVE not in request.headers


def stand_in(environ: WSGIEnvironment, onlooker: Onlooker) -> None:
    """Have a request that the app makes of itself be this onlooker's."""
    environ[_STANDS_IN] = onlooker


def begin(secret: str) -> None:
    """Give the browser a session that begins: nothing of the old one is kept."""
    session.clear()
    session.permanent = True
    session["_user_id"] = secret  # where Flask-Login looks


def signed_in_person() -> Person:
    """Return who is signed in, in a view that asks for that."""
    return cast("Person", current_user._get_current_object())  # noqa: SLF001 - as below


def end() -> None:
    """Forget the session in this browser."""
    logout_user()
    session.clear()


def person() -> Person | None:
    """Return who is signed in, or None."""
    if not current_user.is_authenticated:
        return None
    return cast("Person", current_user._get_current_object())  # noqa: SLF001 - the proxy's only way
