"""What goes to Recall while it is owed a new secret token, and what its probe is."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from dashboard.db import Database
from dashboard.models.circuit import CircuitKind, OpenCircuit
from dashboard.models.ids import new_id
from dashboard.models.zoom_app import SecretChange, ZoomApp
from dashboard.services.relay import claims
from dashboard.services.relay.sending import Delivery
from dashboard.services.zoom_apps import secret_changes
from dashboard.services.zoom_apps.secret_changes import TRIES, FormerWebhooks
from tests.fixtures.delivery import Add, add, app_id, take
from tests.makers import NOON

__all__ = ["add", "app_id"]

BEFORE, AFTER = NOON - timedelta(seconds=5), NOON + timedelta(seconds=5)
NOW = NOON + timedelta(minutes=1)


def change(database: Database, app_id: UUID, **over: Any) -> SecretChange:
    values: dict[str, Any] = {
        "id": new_id(NOON),
        "zoom_app_id": app_id,
        "asked_by": "ana@example.com",
        "has_client_secret": False,
        "has_secret_token": True,
        "stored_at": NOON,
        "recall_due_at": NOON,
    }
    with database.writing() as session:
        made = SecretChange(**(values | over))
        session.add(made)
        return made


def hold(database: Database, its_id: UUID, kind: CircuitKind) -> None:
    with database.writing() as session:
        session.add(
            OpenCircuit(
                id=its_id, kind=kind, is_holding=True, since=NOON, probe_at=NOON
            )
        )


def ids(deliveries: list[Delivery]) -> list[int]:
    return [each.webhook_id for each in deliveries]


def test_while_recall_is_owed_it_only_what_the_former_one_signed_is_sent(
    database: Database, app_id: UUID, add: Add
) -> None:
    former = add(received_at=BEFORE)
    late = add(received_at=AFTER, verdict="previous")
    newly = add(received_at=AFTER)
    owed = change(database, app_id)

    first = take(database, NOW)
    idle = take(database, NOW)
    with database.writing() as session:
        row = session.get_one(SecretChange, owed.id)
        row.recall_at, row.recall_due_at = NOW, None
        session.add(row)

    assert sorted(ids(first)) == sorted([former, late])
    assert idle == []
    assert ids(take(database, NOW)) == [newly]


def test_what_waits_for_recall_to_be_given_it_makes_nobody_busy(
    database: Database, app_id: UUID, add: Add
) -> None:
    add(received_at=AFTER)
    change(database, app_id)

    with database.reading() as session:
        assert not claims.is_any_due(session, now=NOW)


@pytest.mark.parametrize(
    "over",
    [
        {"has_secret_token": False},
        {"recall_at": NOON, "recall_due_at": None},
        {"recall_at": NOON},  # a client secret is owed, the token is there
        {"recall_due_at": None},  # nothing is owed: Recall never had it
        {"ended_at": NOON},
    ],
)
def test_else_all_of_it_is_sent(
    database: Database, app_id: UUID, add: Add, over: dict[str, Any]
) -> None:
    both = [add(received_at=BEFORE), add(received_at=AFTER)]
    change(database, app_id, **over)

    assert ids(take(database, NOW)) == both


def test_the_probe_is_the_newest_that_the_present_token_signed(
    database: Database, app_id: UUID, add: Add
) -> None:
    add(received_at=BEFORE)
    add(received_at=AFTER)
    newest = add(received_at=AFTER + timedelta(seconds=1))
    add(received_at=AFTER + timedelta(seconds=2), verdict="previous")
    change(database, app_id, recall_at=NOON, recall_due_at=None)
    hold(database, app_id, CircuitKind.ZOOM_APP)

    assert ids(take(database, NOW)) == [newest]


def test_the_probe_is_the_oldest_where_none_is_signed_with_it(
    database: Database, app_id: UUID, add: Add
) -> None:
    oldest = add(received_at=BEFORE)
    add(received_at=AFTER, verdict="previous")
    change(database, app_id, recall_at=NOON, recall_due_at=None)
    hold(database, app_id, CircuitKind.ZOOM_APP)

    assert ids(take(database, NOW)) == [oldest]


@pytest.mark.parametrize(
    ("webhook", "held", "expected"),
    [
        (None, None, FormerWebhooks.NONE),
        ({"received_at": AFTER}, None, FormerWebhooks.NONE),
        ({"received_at": BEFORE}, None, FormerWebhooks.FIRST),
        ({"received_at": AFTER, "verdict": "previous"}, None, FormerWebhooks.FIRST),
        ({"received_at": BEFORE, "outcome": "delivered"}, None, FormerWebhooks.NONE),
        ({"received_at": BEFORE, "claim": TRIES}, None, FormerWebhooks.ONCE_MORE),
        (
            {"received_at": BEFORE, "claim": TRIES},
            CircuitKind.WORKSPACE,
            FormerWebhooks.FIRST,
        ),
        ({"received_at": BEFORE}, CircuitKind.ZOOM_APP, FormerWebhooks.NONE),
    ],
)
def test_what_goes_before_recall_is_given_it(  # noqa: PLR0917 - fixtures
    database: Database,
    app_id: UUID,
    add: Add,
    webhook: dict[str, Any] | None,
    held: CircuitKind | None,
    expected: FormerWebhooks,
) -> None:
    owed = change(database, app_id)
    if webhook is not None:
        add(**webhook)
    with database.reading() as session:
        app = session.get_one(ZoomApp, app_id)
    if held is not None:
        its_id = app_id if held is CircuitKind.ZOOM_APP else app.workspace_id
        assert its_id is not None
        hold(database, its_id, held)

    with database.reading() as session:
        assert secret_changes.former_webhooks(session, app, owed) is expected
