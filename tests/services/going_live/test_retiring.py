"""A retired zoom app: silent, still served, and brought back."""

from typing import Any
from uuid import UUID

import pytest

from dashboard.errors import ConflictError, NotFoundError
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import Environment, ZoomApp
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.audit import Actor
from dashboard.services.connect import flow
from dashboard.services.going_live import retiring
from dashboard.services.runtime import Runtime
from dashboard.services.status import attention, overview
from dashboard.services.zoom_apps import apps as zoom_apps
from dashboard.worker import Worker
from tests.fixtures.audit import AUDIT_LOG
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.fixtures.relay import arrive, at_recall, find
from tests.makers import NOON, a_connection, a_zoom_app

ADMIN = Actor(name="admin@example.com")


@pytest.fixture
def stage(runtime: Runtime, sandbox: RunningSandbox) -> ConnectStage:
    return a_connect_stage(runtime, sandbox, verdict=Verdict.WRONG)


def retire(stage: ConnectStage) -> bool:
    return retiring.retire(stage.runtime, stage.app.id, actor=ADMIN)


def stored(runtime: Runtime, zoom_app_id: UUID) -> ZoomApp:
    with runtime.database.reading() as session:
        return zoom_apps.get(session, zoom_app_id)


def add(runtime: Runtime, **over: Any) -> ZoomApp:
    app = a_zoom_app(runtime.vault, **over)
    with runtime.database.writing() as session:
        session.add(app)
    return app


def audited(runtime: Runtime) -> list[tuple[str, str]]:
    with runtime.database.reading() as session:
        return [(one.act, one.subject) for one in session.exec(AUDIT_LOG)]


def test_retiring_and_bringing_back_are_each_done_once(stage: ConnectStage) -> None:
    runtime, app_id = stage.runtime, stage.app.id

    assert (retire(stage), retire(stage)) == (True, False)
    assert stored(runtime, app_id).retired_at == NOON
    back = [retiring.bring_back(runtime, app_id, actor=ADMIN) for _ in range(2)]
    assert back == [True, False]
    assert stored(runtime, app_id).retired_at is None
    acts = [act for act, _ in audited(runtime)]
    assert acts == ["zoom_app.retired", "zoom_app.brought_back"]


def test_the_audit_log_keeps_how_many_were_left(stage: ConnectStage) -> None:
    runtime = stage.runtime
    production = add(
        runtime, environment=Environment.PRODUCTION, succeeds_id=stage.app.id
    )
    with runtime.database.writing() as session:
        for user in ("ana", "ben", "carla"):
            session.add(a_connection(stage.app, zoom_user_id=user))
        session.add(a_connection(production, zoom_user_id="ben"))

    retire(stage)

    ((_, subject),) = audited(runtime)
    assert subject.endswith(": 2 had not reconnected")


def test_a_production_app_is_not_retired(runtime: Runtime) -> None:
    production = add(runtime, environment=Environment.PRODUCTION)

    with pytest.raises(ConflictError, match="no development app"):
        retiring.retire(runtime, production.id, actor=ADMIN)

    assert stored(runtime, production.id).retired_at is None


def test_an_unknown_app_is_neither_retired_nor_brought_back(runtime: Runtime) -> None:
    unknown = UUID(int=1)

    for act in (retiring.retire, retiring.bring_back):
        with pytest.raises(NotFoundError):
            act(runtime, unknown, actor=ADMIN)


def test_it_is_last_in_the_list_and_asks_for_nothing(stage: ConnectStage) -> None:
    runtime = stage.runtime
    add(runtime, name="Zebra", verdict=Verdict.RIGHT)

    def seen() -> tuple[list[str], list[str], int]:
        with runtime.database.reading() as session:
            apps = overview.list_apps(session, now=NOON)
            items = attention.items(
                session, apps, public_url="https://dashboard.example.com", now=NOON
            )
            return (
                [one.name for one in zoom_apps.list_all(session)],
                [one.app.name for one in apps],
                len(items),
            )

    before = seen()
    retire(stage)

    assert before == (["Notetaker", "Zebra"], ["Notetaker", "Zebra"], 1)
    assert seen() == (["Zebra", "Notetaker"], ["Zebra"], 0)


def test_its_webhooks_are_still_taken_and_forwarded(stage: ConnectStage) -> None:
    runtime = stage.runtime
    retire(stage)

    webhook_id = arrive(runtime, stage.app.id)
    runtime.writer.flush()
    Worker(runtime, chores=[]).run_once(runtime.clock.now())

    assert find(runtime, webhook_id).outcome == "delivered"
    assert len(at_recall(stage.sandbox)) == 1


def test_a_user_who_is_at_zoom_meanwhile_is_still_connected(
    stage: ConnectStage,
) -> None:
    begun = stage.begin()
    query = stage.allow(begun)

    retire(stage)

    assert stage.outcome(**query).outcome == "connected"


def test_no_attempt_begins_any_more(stage: ConnectStage) -> None:
    retire(stage)

    with pytest.raises(ConflictError, match="no longer works"):
        stage.begin()


def test_who_comes_back_without_a_state_is_not_sent_to_it(
    stage: ConnectStage,
) -> None:
    def only() -> ZoomApp | None:
        with stage.runtime.database.reading() as session:
            return flow.only_ready(session)

    before = only()
    retire(stage)

    assert before is not None
    assert before.id == stage.app.id
    assert only() is None
