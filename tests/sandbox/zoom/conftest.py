"""A simulated Zoom with one app and one user, and an endpoint for its webhooks."""

import pytest

from dashboard.sandbox.zoom import ZoomWorld
from dashboard.sandbox.zoom.records import ZoomApp, ZoomUser
from tests.fixtures.simulated_zoom import Endpoint, a_user, a_world, an_app


@pytest.fixture(autouse=True)
def _configure_application() -> None:
    """Switch pytest-flask's off: here `app` is a Zoom app, not a Flask app."""


@pytest.fixture(autouse=True)
def _monkeypatch_response_class() -> None:
    """As above."""


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
def world(endpoint: Endpoint) -> ZoomWorld:
    return a_world(endpoint)


@pytest.fixture
def app(world: ZoomWorld) -> ZoomApp:
    return an_app(world)


@pytest.fixture
def user(world: ZoomWorld) -> ZoomUser:
    return a_user(world)
