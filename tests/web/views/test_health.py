"""For probes."""

from flask.testing import FlaskClient
from structlog.testing import capture_logs

from dashboard import schema
from dashboard.services.runtime import Runtime


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
