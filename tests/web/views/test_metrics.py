"""`/metrics`: a bearer token or nothing."""

from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr

from dashboard.app import build_runtime, create_app
from dashboard.models.circuit import CircuitKind, OpenCircuit
from dashboard.models.webhook import Outcome
from dashboard.settings import Settings
from tests.conftest import HTTPS
from tests.makers import NOON, a_connection, a_webhook, a_zoom_app

TOKEN = "test-metrics-token-0001"

Ask = Callable[[str], tuple[int, str]]


@pytest.fixture
def ask(settings: Settings) -> Iterator[Ask]:
    """Ask an installation that has one dead webhook and one connection."""
    with_token = settings.model_copy(update={"metrics_token": SecretStr(TOKEN)})
    runtime = build_runtime(with_token, listens_on=HTTPS)
    with runtime.database.writing() as session:
        app = a_zoom_app(runtime.vault, recall_app_id=UUID(int=3))
        session.add(app)
        session.flush()
        session.add(a_webhook(app, outcome=Outcome.DEAD))
        session.add(a_connection(app, token_checked_at=runtime.clock.now()))
        for number, is_holding in ((1, True), (2, False)):
            hold = OpenCircuit(
                id=UUID(int=number),
                kind=CircuitKind.WORKSPACE,
                is_holding=is_holding,
                since=NOON,
                probe_at=NOON,
            )
            session.add(hold)
    client = create_app(runtime).test_client()
    client.get(f"/tokens/{'a' * 43}")

    def asked(authorization: str) -> tuple[int, str]:
        answer = client.get("/metrics", headers={"Authorization": authorization})
        return answer.status_code, answer.text

    yield asked
    runtime.close()


def test_without_a_token_in_the_settings_there_is_no_such_address(
    stranger: FlaskClient,
) -> None:
    assert stranger.get("/metrics").status_code == 404


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer ", "Bearer wrong", TOKEN, f"Basic {TOKEN}", "Bearer tést"],
)
def test_another_token_is_refused(ask: Ask, authorization: str) -> None:
    status, text = ask(authorization)

    assert status == 401
    assert "dashboard_" not in text


def test_prometheus_reads_what_is_owed_and_who_is_connected(ask: Ask) -> None:
    status, text = ask(f"Bearer {TOKEN}")

    assert status == 200
    assert 'dashboard_webhooks_owed{outcome="dead",zoom_app="Notetaker"} 1.0' in text
    assert 'dashboard_holds{kind="workspace"} 1.0' in text
    assert 'dashboard_holds{kind="zoom_app"} 0.0' in text
    assert 'dashboard_connections{state="healthy"} 1.0' in text
    assert 'dashboard_connections{state="unknown"} 0.0' in text
    assert 'dashboard_token_requests_total{status="404"} 1.0' in text
