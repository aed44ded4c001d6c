"""For probes."""

import pytest
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from dashboard import schema
from dashboard.app import create_app
from dashboard.services.runtime import Runtime
from dashboard.web.views import health


def test_the_process_is_alive(stranger: FlaskClient) -> None:
    assert stranger.get("/healthz").status_code == 200


def test_a_migrated_database_is_ready(stranger: FlaskClient) -> None:
    assert stranger.get("/readyz").status_code == 200


def test_tables_of_another_version_are_not_ready(
    stranger: FlaskClient, runtime: Runtime
) -> None:
    schema.downgrade(runtime.database, "base")

    with capture_logs() as said:
        answer = stranger.get("/readyz")

    assert (answer.status_code, answer.text) == (503, "database\n")
    assert "dashboard db upgrade" in said[0]["reason"]


def test_probes_that_fail_for_long_are_one_line_and_one_when_they_pass(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_CALM_S", 0.0)
    prober = create_app(runtime).test_client()
    schema.downgrade(runtime.database, "base")

    with capture_logs() as said:
        for _ in range(3):
            assert prober.get("/readyz").status_code == 503
        schema.upgrade(runtime.database)
        assert prober.get("/readyz").status_code == 200

    events = [one["event"] for one in said if one["event"].startswith("health.")]
    assert events == ["health.not_ready", "health.ready_again"]
