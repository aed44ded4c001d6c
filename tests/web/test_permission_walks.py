"""From each permission to what its results allow: links, pages and exports.

A permission is worth what can be done with what it gives, also by somebody who is not
signed in: whoever sees a link can open it.
"""

from collections.abc import Sequence

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import SQLModel, select
from werkzeug.exceptions import HTTPException

from dashboard.models.connection import Connection
from dashboard.models.erasure import Erasure
from dashboard.models.staff import Role, Staff
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.staff.permissions import Permission
from dashboard.web import access
from tests.conftest import SignIn
from tests.fixtures.connect import ConnectStage
from tests.fixtures.invitations import invite
from tests.fixtures.walking import Allowed, walk
from tests.makers import API_KEY, CLIENT_SECRET, SECRET_TOKEN, a_body, a_webhook

SECRETS = [one.get_secret_value() for one in (API_KEY, CLIENT_SECRET, SECRET_TOKEN)]
KEPT = (Connection, Erasure, Staff, Workspace, ZoomApp)
PUBLIC = {"/readyz", "/metrics"}
START = ("/", "/connections/", "/connections/invitations/", "/webhooks/", "/staff/")


@pytest.fixture
def stage(lite: ConnectStage) -> ConnectStage:
    """An app with a connection, an invitation and a webhook."""
    lite.connect()
    invite(lite, "bo@example.org")
    webhook = a_webhook(lite.app, zoom_user_id=lite.ana.id)
    with lite.runtime.database.writing() as session:
        session.add(webhook)
        session.flush()
        session.add(a_body(lite.runtime.vault, webhook))
    return lite


def kept(stage: ConnectStage) -> Sequence[object]:
    """Return what nobody may change without a permission or a proof."""
    with stage.runtime.database.reading() as session:
        tables: list[type[SQLModel]] = list(KEPT)
        rows = {one.__name__: len(session.exec(select(one)).all()) for one in tables}
        states = [
            (one.id, one.recall_credential_id, one.deauthorized_at)
            for one in session.exec(select(Connection))
        ]
    return [rows, states, sorted(one.id for one in stage.credentials())]


def needing(app: Flask, permission: Permission) -> Allowed:
    """Give the routes that need exactly this permission."""

    def may(method: str, path: str) -> bool:
        try:
            endpoint, _ = app.url_map.bind("dashboard.example.com").match(path, method)
        except HTTPException:
            return False
        if endpoint == "static":
            return False
        with app.app_context():
            return access.needs(endpoint) is permission

    return may


def test_support_ends_no_connection_and_sees_no_secret(
    as_role: SignIn, stranger: FlaskClient, stage: ConnectStage
) -> None:
    support = as_role(Role.SUPPORT)
    before = kept(stage)

    staff = walk(support, START)
    links = staff.addresses("/connect/")
    outside = walk(stranger, links)

    assert any("/i/" in link for link in links)  # reconnect links were made and tried
    assert any(method == "POST" for method, _ in outside.texts)
    assert kept(stage) == before
    for text in [*staff.texts.values(), *outside.texts.values()]:
        assert not [secret for secret in SECRETS if secret in text]


@pytest.mark.parametrize("role", Role)
def test_no_page_leads_its_reader_where_the_role_may_not(
    as_role: SignIn, stranger: FlaskClient, stage: ConnectStage, role: Role
) -> None:
    is_admin = role is Role.ADMIN  # pressing all of it would leave nothing to look at
    reader = as_role(role)
    before = kept(stage)

    seen = walk(reader, ["/"], may=lambda method, _: not is_admin or method == "GET")
    inside = kept(stage)
    outside = walk(stranger, seen.addresses("/connect/"))

    assert [one for one, status in seen.statuses.items() if status == 403] == []
    assert [one for one, status in seen.statuses.items() if status >= 500] == []
    assert len(seen.texts) > 1
    for text in [*seen.texts.values(), *outside.texts.values()]:
        assert not [secret for secret in SECRETS if secret in text]
    if role is Role.OPERATOR:
        assert inside != before  # it did disconnect
    else:
        assert inside == before
    assert kept(stage) == inside


def test_what_a_permission_shows_lets_a_stranger_change_nothing(
    app: Flask, as_role: SignIn, stranger: FlaskClient, stage: ConnectStage
) -> None:
    admin = as_role(Role.ADMIN)
    reading = walk(admin, START, may=lambda method, _: method == "GET")
    pages = [path for (_, path) in reading.texts]
    forms = reading.forms()
    changed: list[Permission] = []
    let_in: set[str] = set()
    tried: set[str] = set()

    for permission in Permission:
        may = needing(app, permission)
        shown = walk(admin, pages, forms=forms, may=may).addresses("/") - tried
        if any(path.startswith("/password/") for path in shown):
            assert permission is Permission.STAFF_WRITE
        before = kept(stage)
        outside = walk(stranger, shown)
        tried |= shown
        if kept(stage) != before:
            changed.append(permission)
        let_in |= {
            path for (_, path), status in outside.statuses.items() if status < 300
        }

    assert any("/i/" in path for path in tried)
    assert changed == []
    links = ("/connect/", "/password/")  # each made for one person
    assert not {path for path in let_in if not path.startswith(links)} - PUBLIC
