"""Webhooks make the connections of their users due."""

from datetime import timedelta

import pytest

from dashboard.db import Database
from dashboard.models.connection import Connection
from dashboard.models.webhook import Outcome, Webhook
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.sweep.bulk import MAPPINGS_EVERY
from dashboard.services.sweep.events import mark_due
from dashboard.vault import Vault
from tests.makers import NOON, a_connection, a_webhook, a_workspace, a_zoom_app

LATER = NOON + timedelta(minutes=1)


@pytest.fixture
def zoom_app(database: Database, vault: Vault) -> ZoomApp:
    added = a_zoom_app(vault)
    with database.writing() as session:
        session.add(added)
    return added


def add(database: Database, *rows: Connection | Webhook) -> None:
    with database.writing() as session:
        session.add_all(rows)


def delivered(zoom_app: ZoomApp, **over: object) -> Webhook:
    at = LATER - timedelta(seconds=2)
    values = {
        "event": "user.updated",
        "outcome": Outcome.DELIVERED,
        "delivered_at": at,
        **over,
    }
    return a_webhook(zoom_app, received_at=at, **values)


def due_in_s(database: Database, row: Connection) -> float:
    with database.reading() as session:
        due_at = session.get_one(Connection, row.id).due_at
    return (due_at - LATER).total_seconds()


def test_its_user_is_due_once(database: Database, zoom_app: ZoomApp) -> None:
    row = a_connection(zoom_app, zoom_user_id="zUsErA")
    other = a_connection(zoom_app, zoom_user_id="zUsErB")
    hook = delivered(zoom_app, zoom_user_id="zUsErA")
    add(database, row, other, hook, delivered(zoom_app, zoom_user_id="zUsErA"))

    counts = [
        mark_due(database, now=LATER),
        mark_due(database, now=LATER + timedelta(seconds=1)),
    ]

    assert counts == [1, 0]
    assert due_in_s(database, row) == 0
    assert due_in_s(database, other) > 3600


def test_a_whole_account_is_due_for_any_of_its_users(
    database: Database, zoom_app: ZoomApp
) -> None:
    account = a_connection(zoom_app, zoom_user_id=None, zoom_account_id="aCcOuNt")
    add(database, account, delivered(zoom_app, zoom_account_id="aCcOuNt"))

    assert mark_due(database, now=LATER) == 1


@pytest.mark.parametrize(
    ("checked_s_ago", "expected_s"),
    [(14, 1), (15, 0), (59, 0)],
    ids=["a look has just been", "long enough ago", "long ago"],
)
def test_looks_at_one_connection_keep_a_distance(
    database: Database, zoom_app: ZoomApp, checked_s_ago: int, expected_s: int
) -> None:
    row = a_connection(
        zoom_app,
        zoom_user_id="zUsErA",
        token_checked_at=LATER - timedelta(seconds=checked_s_ago),
    )
    late = LATER - timedelta(seconds=3)
    hook = delivered(zoom_app, zoom_user_id="zUsErA", delivered_at=late)
    add(database, row, hook)

    mark_due(database, now=LATER)

    assert due_in_s(database, row) == expected_s


@pytest.mark.parametrize(
    "over",
    [
        {"outcome": Outcome.WAITING, "delivered_at": None},
        {"delivered_at": LATER - timedelta(seconds=1)},
        {"zoom_user_id": "zUsErB"},
        {"zoom_user_id": None},
        {"delivered_at": NOON - timedelta(seconds=3)},
    ],
    ids=[
        "Recall has not got it yet",
        "Recall needs a moment",
        "about another user",
        "about nobody",
        "looked at since",
    ],
)
def test_nobody_else_is_disturbed(
    database: Database, zoom_app: ZoomApp, over: dict[str, object]
) -> None:
    row = a_connection(zoom_app, zoom_user_id="zUsErA")
    add(database, row, delivered(zoom_app, **{"zoom_user_id": "zUsErA", **over}))

    assert mark_due(database, now=LATER) == 0


def test_the_same_user_of_another_zoom_app_is_another_connection(
    database: Database, zoom_app: ZoomApp, vault: Vault
) -> None:
    other = a_zoom_app(vault)
    row = a_connection(zoom_app, zoom_user_id="zUsErA")
    with database.writing() as session:
        session.add(other)
    add(database, row, delivered(other, zoom_user_id="zUsErA"))

    assert mark_due(database, now=LATER) == 0


def test_a_meetings_webhook_has_the_workspaces_mappings_read_and_nobody_looked_at(
    database: Database, zoom_app: ZoomApp, vault: Vault
) -> None:
    workspace = a_workspace(vault, mappings_due_at=LATER + timedelta(minutes=4))
    row = a_connection(zoom_app, zoom_user_id="zUsErA")
    with database.writing() as session:
        session.add(workspace)
        session.flush()
        session.get_one(ZoomApp, zoom_app.id).workspace_id = workspace.id
    hook = delivered(zoom_app, zoom_user_id="zUsErA", event="meeting.created")
    add(database, row, hook)

    counts = [mark_due(database, now=LATER), mark_due(database, now=LATER)]

    with database.reading() as session:
        due_at = session.get_one(Workspace, workspace.id).mappings_due_at
    assert due_at == LATER
    assert counts == [0, 0]
    assert due_in_s(database, row) > 3600


@pytest.mark.parametrize(
    ("read_s_ago", "expected_s"),
    [(1, 299), (5, 10), (60, 0)],
    ids=["read since", "a moment ago: not at once", "long enough ago"],
)
def test_mappings_are_not_read_again_at_once(
    database: Database,
    zoom_app: ZoomApp,
    vault: Vault,
    read_s_ago: int,
    expected_s: int,
) -> None:
    read_at = LATER - timedelta(seconds=read_s_ago)
    workspace = a_workspace(vault, mappings_due_at=read_at + MAPPINGS_EVERY)
    with database.writing() as session:
        session.add(workspace)
        session.flush()
        session.get_one(ZoomApp, zoom_app.id).workspace_id = workspace.id
    at = LATER - timedelta(seconds=4)
    add(database, delivered(zoom_app, event="meeting.created", delivered_at=at))

    mark_due(database, now=LATER)

    with database.reading() as session:
        due_at = session.get_one(Workspace, workspace.id).mappings_due_at
    assert due_at is not None
    assert (due_at - LATER).total_seconds() == expected_s
