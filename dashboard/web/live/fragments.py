"""The live parts of pages, drawn once for all people of a role and its limits."""

from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping
from functools import partial
from wsgiref.types import WSGIEnvironment

import structlog
from flask import Flask, g, make_response, request
from werkzeug.test import create_environ

from dashboard.errors import DashboardError, StorageError
from dashboard.services.live import topics
from dashboard.web import access, context, signin
from dashboard.web.context import GATHERED
from dashboard.web.live.board import Draw, Fragment
from dashboard.web.signin import Limits, Onlooker

_log = structlog.get_logger()


def drawing(app: Flask, public_url: str) -> Draw:
    """Return what draws the fragments of an app.

    Args:
        app: With all its views.
        public_url: The origin that absolute addresses begin with.
    """
    return partial(_draw, app, public_url)


def _draw(
    app: Flask, public_url: str, topic: str, onlookers: Collection[Onlooker]
) -> Mapping[Onlooker, Fragment]:
    address = _address(app, topic)
    if address is None:
        return {}
    shared: dict[Limits, dict[Hashable, object]] = defaultdict(dict)
    drawn = {}
    for each in onlookers:
        environ = create_environ(address, public_url, headers={"HX-Request": "true"})
        environ[GATHERED] = shared[each.zoom_apps]
        signin.stand_in(environ, each)
        fragment = _draw_for(app, environ, topic, each)
        if fragment is not None:
            drawn[each] = fragment
    return drawn


def _draw_for(
    app: Flask, environ: WSGIEnvironment, topic: str, onlooker: Onlooker
) -> Fragment | None:
    """Call the topic's view as such a person, but without a name.

    What depends on the reader can't be drawn for all: form tokens stay empty until the
    page puts its own in (static/live.js).

    Raises:
        StorageError: The database cannot be read.
    """
    try:
        with app.request_context(environ):
            g.csrf_token = ""
            return _fragment(app, onlooker)
    except StorageError:
        raise
    except DashboardError:
        return None  # deleted, for example: each page finds out for itself
    except Exception:  # noqa: BLE001 - logged with its trace; each page then asks for itself
        _log.exception("live.not_drawn", topic=topic, role=onlooker.role.value)
        return None


def _fragment(app: Flask, onlooker: Onlooker) -> Fragment | None:
    endpoint = str(request.endpoint)
    needed = access.needs(endpoint)
    if needed is not None and not onlooker.can(needed):
        return None
    if onlooker.zoom_apps is not None:
        context.limit(onlooker.zoom_apps)
    view = app.ensure_sync(app.view_functions[endpoint])
    response = make_response(view(**(request.view_args or {})))
    if response.status_code != 200:  # noqa: PLR2004 - the one with a fragment
        return None
    return Fragment(request.path, response.get_data())


def _address(app: Flask, topic: str) -> str | None:
    """Return where pages ask for the topic's fragment; None: it differs by page."""
    addresses = app.url_map.bind("")
    if topic == topics.OVERVIEW:
        return addresses.build("overview.index")
    zoom_app_id = topics.zoom_app_of(topic)
    if zoom_app_id is not None:
        return addresses.build("zoom_apps.validation", {"zoom_app_id": zoom_app_id})
    return None
