"""How a view reaches the runtime, its reading session, the time and who asks."""

from collections.abc import Callable, Hashable
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import datetime
from typing import TypeVar, cast
from uuid import UUID

from flask import Flask, current_app, g, request
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from dashboard.db.limited import LimitedDatabase
from dashboard.errors import StorageError
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.runtime import Runtime
from dashboard.web.signin import person

_EXTENSION = "dashboard"
GATHERED = "dashboard.gathered"
"""In the environment of requests that the app makes of itself: a dictionary."""

T = TypeVar("T")


def install(app: Flask, bundle: Runtime) -> None:
    """Give the app its runtime and close each request's session at its end."""
    app.extensions[_EXTENSION] = bundle
    app.teardown_appcontext(_close)


def runtime() -> Runtime:
    """Return the runtime of this app, for a limited person with a limited database."""
    return cast("Runtime", g.get("runtime") or current_app.extensions[_EXTENSION])


def limit(zoom_apps: frozenset[UUID]) -> None:
    """Have whatever this request reads from now on be of these zoom apps only."""
    whole = cast("Runtime", current_app.extensions[_EXTENSION])
    g.zoom_apps = zoom_apps
    g.runtime = replace(whole, database=LimitedDatabase(whole.database, zoom_apps))


def limits() -> frozenset[UUID] | None:
    """Return the zoom apps that this request is limited to; None: it is not."""
    return cast("frozenset[UUID] | None", g.get("zoom_apps"))


def db() -> Session:
    """Return the request's reading session; each statement sees the newest state."""
    if "reading" not in g:
        g.open_things = ExitStack()
        g.reading = g.open_things.enter_context(runtime().database.reading())
    return cast("Session", g.reading)


def now() -> datetime:
    """Return the present instant, aware, UTC."""
    return runtime().clock.now()


def gathered(key: Hashable, gather: Callable[[], T]) -> T:
    """Return what a page shows; gathered once where it is drawn for several roles.

    Args:
        key: What it is.
        gather: Asks the database. What it returns must not depend on who reads, and
            must hold all it needs: its session is closed by then.
    """
    shared = request.environ.get(GATHERED)
    if shared is None:
        return gather()
    if key not in shared:
        shared[key] = gather()
    return cast("T", shared[key])


def act_as(who: Actor) -> None:
    """Have this request be this one's, whoever is signed in in the same browser."""
    g.actor = who


def actor() -> Actor:
    """Return who makes this request, for the audit log."""
    if "actor" in g:
        return cast("Actor", g.actor)
    who = person()
    address = request.remote_addr or ""
    if who is None:
        return Actor(name="no one signed in", address=address)
    return Actor(name=who.email, staff_id=who.staff_id, address=address)


def record(act: str, subject: str) -> None:
    """Record what this request is about to do and stores nothing of; commits."""
    with runtime().database.writing() as session:
        audit.record(session, actor(), act, subject=subject, now=now())


def _close(_error: BaseException | None) -> None:
    things: ExitStack | None = g.pop("open_things", None)
    g.pop("reading", None)
    if things is not None:
        with suppress(StorageError, SQLAlchemyError):  # answered already, and logged
            things.close()
