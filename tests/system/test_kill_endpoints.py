"""kill -9 while events and copies are under way: nothing is lost, ids stay equal."""

from collections import Counter
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from sqlmodel import select

from dashboard.app import build_runtime
from dashboard.db import Database
from dashboard.models.endpoint import DeliveryOutcome, EndpointDelivery
from dashboard.sandbox.recall.records import App
from dashboard.services import audit, events
from dashboard.services.endpoints import endpoints
from dashboard.settings import load
from tests.fixtures.endpoints import OwnServer, own
from tests.fixtures.relay import BODY, recall_app, until
from tests.makers import NOON
from tests.system.test_kill import Served, post, served, set_up

__all__ = ["own", "recall_app", "served"]

EVENTS = 30
ACTOR = audit.Actor(name="test")


@pytest.fixture
def local(served: Served) -> Served:
    served._environment["DASHBOARD_ALLOW_PRIVATE_ENDPOINTS"] = "true"
    return served


def prepare(server: Served, folder: Path, app_id: UUID, own: OwnServer) -> set[str]:
    """Add an endpoint and a destination, and record events; return their ids."""
    environment = server._environment
    settings = load(
        instance=folder,
        database_url=f"sqlite:///{server.file}",
        encryption_keys=environment["DASHBOARD_ENCRYPTION_KEYS"],
        allow_private_endpoints=True,
    )
    runtime = build_runtime(settings, listens_on=server.url)
    kind = events.ConnectionErased
    endpoints.add(runtime, SecretStr(own.url), events=[kind.kind], actor=ACTOR)
    url = SecretStr(own.url.replace("/in", "/copies"))
    endpoints.add_destination(runtime, app_id, url, actor=ACTOR)
    with runtime.database.writing() as session:
        said = [
            events.record(
                session, kind(connection_id=uuid4(), zoom_app_id=app_id), at=NOON
            )
            for _ in range(EVENTS)
        ]
    runtime.close()
    return {f"evt_{each}" for each in said}


def waiting(server: Served) -> int:
    database = Database(f"sqlite:///{server.file}")
    with database.reading() as session:
        found = session.exec(select(EndpointDelivery)).all()
    database.close()
    assert {each.outcome for each in found} <= {
        DeliveryOutcome.WAITING,
        DeliveryOutcome.DELIVERED,
    }
    return sum(each.outcome is DeliveryOutcome.WAITING for each in found)


def test_a_dashboard_killed_while_events_and_copies_are_sent_loses_none(
    local: Served,
    recall_app: App,
    own: OwnServer,
    tmp_path: Path,
) -> None:
    app_id = set_up(local, recall_app)
    wanted = prepare(local, tmp_path, app_id, own)
    own.waits.clear()  # it takes them, and answers nobody
    local.start()
    assert post(local, app_id) == 200
    until(lambda: any(each.path == "/copies" for each in own.came))
    until(lambda: any(each.path == "/in" for each in own.came))
    local.kill()
    own.waits.set()
    assert waiting(local) == EVENTS + 1
    local.start()
    until(lambda: waiting(local) == 0)
    local.kill()

    said = [each for each in own.came if each.path == "/in"]
    ids = Counter(each.headers["webhook-id"] for each in said)
    assert set(ids) == wanted
    assert max(ids.values()) > 1  # at least once: what was under way came again
    bodies = {(each.headers["webhook-id"], each.body) for each in said}
    assert len(bodies) == EVENTS
    copies = [each for each in own.came if each.path == "/copies"]
    assert len(copies) > 1
    assert {each.body for each in copies} == {BODY}
    assert len({each.headers["x-zm-signature"] for each in copies}) == 1
