"""Rate budgets on the workspaces page and for Prometheus."""

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from dashboard.clients.recall.operations import Operation
from dashboard.models.staff import Role
from dashboard.services import metrics
from dashboard.services.recall import rate_limit_counts
from dashboard.services.runtime import Runtime
from dashboard.vault import fingerprint
from tests.conftest import SignIn
from tests.makers import API_KEY, NOON, a_workspace

SCOPE = f"us-east-1:{fingerprint(API_KEY)}"
LIST, LOOK = Operation.APPS_LIST, Operation.APPS_RETRIEVE


@pytest.fixture
def admin(as_role: SignIn, runtime: Runtime) -> FlaskClient:
    """An admin's browser; there is one workspace."""
    with runtime.database.writing() as session:
        session.add(a_workspace(runtime.vault, name="Main"))
    return as_role(Role.ADMIN)


def count(runtime: Runtime, operation: Operation, calls: int) -> None:
    with runtime.database.writing_fast() as connection:
        for _ in range(calls):
            rate_limit_counts.take(connection, SCOPE, operation, stops_at=999, now=NOON)


def pause(runtime: Runtime, operation: Operation, seconds: float) -> None:
    until = NOON + timedelta(seconds=seconds)
    with runtime.database.writing_fast() as connection:
        rate_limit_counts.pause(connection, SCOPE, operation, said_at=NOON, until=until)


def card(admin: FlaskClient) -> str:
    page = BeautifulSoup(admin.get("/workspaces/").text, "html5lib")
    found = page.select_one("#budgets")
    assert found is not None
    return " ".join(found.get_text(" ").split())


def test_where_nothing_was_asked_the_page_says_so(admin: FlaskClient) -> None:
    assert "No requests in the last minute." in card(admin)


@pytest.mark.parametrize(
    ("calls", "says"),
    [
        (
            12,
            "List apps 12 / 60 List apps: 12 of 60 Background jobs pause at 36",
        ),
        (36, "Background paused the rest is kept for people"),
        (60, "Limit reached people wait a few seconds"),
    ],
)
def test_what_was_asked_is_shown_with_where_background_work_stops(
    admin: FlaskClient, runtime: Runtime, calls: int, says: str
) -> None:
    count(runtime, LIST, calls)

    shown = card(admin)

    assert "Main" in shown
    assert says in shown
    assert "Read app" not in shown


def test_a_pause_that_recall_asked_for_is_shown_with_its_end(
    admin: FlaskClient, runtime: Runtime
) -> None:
    pause(runtime, LOOK, 45)

    assert (
        "Read app 0 / 300 Read app: 0 of 300 Paused "
        "until 12:00:45 : Recall answered 429 at 12:00:00"
    ) in card(admin)


def test_workspaces_that_asked_nothing_are_only_counted(
    admin: FlaskClient, runtime: Runtime
) -> None:
    count(runtime, LIST, 1)
    with runtime.database.writing() as session:
        session.add(a_workspace(runtime.vault, name="Idle", region="eu-central-1"))

    shown = card(admin)

    assert "Idle" not in shown
    assert "The other workspace made no requests." in shown


def test_prometheus_reads_what_was_asked_by_region_key_and_operation(
    runtime: Runtime,
) -> None:
    count(runtime, LIST, 3)
    pause(runtime, LIST, 45)

    with runtime.database.reading() as session:
        text = metrics.page(
            session, open_streams=0, token_requests=runtime.token_requests, now=NOON
        ).decode()

    labels = (
        f'{{key="{fingerprint(API_KEY)}",operation="apps.list",region="us-east-1"}}'
    )
    assert f"dashboard_recall_calls{labels} 3.0" in text
    assert f"dashboard_recall_calls_limit{labels} 60.0" in text
    assert f"dashboard_recall_paused_seconds{labels} 45.0" in text
