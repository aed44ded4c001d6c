"""Fixtures for pages: people signed in, and an app that users can connect."""

import pytest
from flask.testing import FlaskClient

from dashboard.models.staff import Role
from tests.conftest import SignIn
from tests.fixtures.connect import ConnectStage


@pytest.fixture
def stage(lite: ConnectStage) -> ConnectStage:
    return lite


@pytest.fixture
def admin(as_role: SignIn) -> FlaskClient:
    return as_role(Role.ADMIN)


@pytest.fixture
def support(as_role: SignIn) -> FlaskClient:
    return as_role(Role.SUPPORT)


@pytest.fixture
def user(stranger: FlaskClient) -> FlaskClient:
    return stranger
