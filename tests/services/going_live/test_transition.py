"""The second zoom app of a move: made or linked, once, with one sentence if not."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from dashboard.db import Database
from dashboard.errors import ConflictError, InvalidInputError, NotFoundError
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import Environment, Kind, Routing, ScopeStyle, ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.connect import flow
from dashboard.services.going_live import transition
from dashboard.services.going_live.transition import HereAlreadyError
from dashboard.services.runtime import Runtime
from dashboard.services.status import attention, overview
from dashboard.services.zoom_apps import apps
from dashboard.services.zoom_apps import apps as zoom_apps
from dashboard.services.zoom_apps.apps import NewZoomApp
from dashboard.services.zoom_apps.credential_checks import (
    SavedZoomApp,
    WrongCredentialsError,
)
from dashboard.worker import Worker
from tests.fixtures.audit import AUDIT_LOG
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.fixtures.relay import arrive, at_recall, find
from tests.makers import NOON, a_connection, a_workspace, a_zoom_app

ADMIN = Actor(name="admin@example.com")


CLIENT_ID, SECRET = "simProduction000000001", SecretStr("test-production-secret-01")


TOKEN = SecretStr("test-production-token-01")


@dataclass(kw_only=True)
class Stage:
    runtime: Runtime
    development: ZoomApp
    workspace_id: UUID

    def values(self, **over: Any) -> NewZoomApp:
        given: dict[str, Any] = {
            "name": "Notetaker",
            "environment": Environment.DEVELOPMENT,  # the move knows better
            "kind": Kind.ACCOUNT_LEVEL,
            "client_id": CLIENT_ID,
            "client_secret": SECRET,
            "secret_token": TOKEN,
            "scope_style": ScopeStyle.LEGACY,
            "routing": Routing.DIRECT,
            "workspace_id": self.workspace_id,
        }
        return NewZoomApp(**(given | over))

    def begin(self, **over: Any) -> SavedZoomApp:
        return transition.begin(
            self.runtime, self.development.id, self.values(**over), actor=ADMIN
        )

    def add(self, **over: Any) -> UUID:
        values = {"environment": Environment.PRODUCTION, **over}
        app = a_zoom_app(self.runtime.vault, **values)
        with self.runtime.database.writing() as session:
            session.add(app)
            return app.id

    def link(self, production_id: UUID) -> None:
        transition.link(self.runtime, self.development.id, production_id, actor=ADMIN)

    def find(self, zoom_app_id: UUID) -> ZoomApp:
        with self.runtime.database.reading() as session:
            return apps.get(session, zoom_app_id)

    def all(self) -> list[ZoomApp]:
        with self.runtime.database.reading() as session:
            return list(apps.list_all(session))

    def acts(self) -> list[str]:
        with self.runtime.database.reading() as session:
            return [entry.act for entry in session.exec(AUDIT_LOG)]


@pytest.fixture
def stage(runtime: Runtime, sandbox: RunningSandbox, database: Database) -> Stage:
    """A development app here, its production pair at Zoom; on each database."""
    if not database.is_sqlite:
        runtime = replace(runtime, database=database)
    sandbox.zoom_world.add_app(
        name="Notetaker", client_id=CLIENT_ID, client_secret=SECRET.get_secret_value()
    )
    development = a_zoom_app(runtime.vault)
    workspace = a_workspace(runtime.vault)
    with runtime.database.writing() as session:
        session.add(development)
        session.add(workspace)
    return Stage(runtime=runtime, development=development, workspace_id=workspace.id)


def test_the_second_app_is_checked_at_zoom_and_linked(stage: Stage) -> None:
    made = stage.find(stage.begin().zoom_app_id)

    assert (made.environment, made.kind) == (
        Environment.PRODUCTION,
        Kind.USER_LEVEL,
    )
    assert (made.scope_style, made.routing) == (ScopeStyle.LEGACY, Routing.DIRECT)
    assert made.succeeds_id == stage.development.id
    assert made.workspace_id == stage.workspace_id
    assert made.recall_app_id is None
    assert made.verdict is Verdict.RIGHT
    assert stage.acts() == ["zoom_app.created"]


def test_the_development_app_stays_as_it_was(stage: Stage) -> None:
    stage.begin()

    assert stage.find(stage.development.id) == stage.development


def test_the_same_values_again_give_the_app_that_is_there(stage: Stage) -> None:
    first = stage.begin()

    again = stage.begin(client_id=f" {CLIENT_ID} ")

    assert again.zoom_app_id == first.zoom_app_id
    assert len(stage.all()) == 2


def test_two_presses_at_once_make_one(stage: Stage) -> None:
    both = Barrier(2)

    def press(_: int) -> UUID:
        both.wait(timeout=10)
        return stage.begin().zoom_app_id

    with ThreadPoolExecutor(2) as pool:
        made = set(pool.map(press, range(2)))

    assert len(made) == 1
    assert len(stage.all()) == 2


def test_two_pairs_at_once_make_one_successor(
    stage: Stage, sandbox: RunningSandbox
) -> None:
    other = f"{CLIENT_ID}x"
    sandbox.zoom_world.add_app(
        name="Other", client_id=other, client_secret=SECRET.get_secret_value()
    )
    both = Barrier(2)

    def press(client_id: str) -> bool:
        both.wait(timeout=10)
        try:
            stage.begin(client_id=client_id)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(press, (CLIENT_ID, other)))

    assert sorted(made) == [False, True]
    assert len(stage.all()) == 2


def test_a_wrong_pair_is_not_saved(stage: Stage) -> None:
    with pytest.raises(WrongCredentialsError, match="tab Production"):
        stage.begin(client_secret=SecretStr("test-of-development-0001"))

    assert len(stage.all()) == 1


def test_zoom_being_down_is_saved_as_unchecked(
    stage: Stage, sandbox: RunningSandbox
) -> None:
    sandbox.zoom_faults.set([Fault(kind=FaultKind.DOWN)])

    made = stage.find(stage.begin().zoom_app_id)

    assert made.verdict is Verdict.UNKNOWN
    assert made.succeeds_id == stage.development.id


def test_the_development_client_id_again_is_said(stage: Stage) -> None:
    with pytest.raises(
        InvalidInputError, match="This is the development client ID"
    ) as told:
        stage.begin(client_id=f"{stage.development.client_id}\n")

    assert told.value.field == "client_id"
    assert len(stage.all()) == 1


def test_a_production_app_that_is_here_is_offered_to_be_linked(stage: Stage) -> None:
    here = stage.add(client_id=CLIENT_ID)

    with pytest.raises(HereAlreadyError, match="Link it") as told:
        stage.begin()

    assert told.value.zoom_app_id == here
    assert stage.find(here).succeeds_id is None


def test_a_workspace_that_is_gone_is_said(stage: Stage) -> None:
    with pytest.raises(NotFoundError, match="workspace"):
        stage.begin(workspace_id=uuid4())

    assert len(stage.all()) == 1


def test_a_production_app_is_not_moved(stage: Stage) -> None:
    production = stage.add()

    with pytest.raises(ConflictError, match="not a development app"):
        transition.begin(stage.runtime, production, stage.values(), actor=ADMIN)


def test_the_pair_that_zoom_promoted_stays_as_it_is(stage: Stage) -> None:
    database, before = stage.runtime.database, stage.find(stage.development.id)

    done = transition.promote(database, before.id, actor=ADMIN, now=NOON)
    again = transition.promote(database, before.id, actor=ADMIN, now=NOON)

    after = stage.find(before.id)
    assert (done, again) == (True, False)
    assert after.environment is Environment.PRODUCTION
    assert after.version == before.version + 1
    same = {"environment", "version"}
    assert after.model_dump(exclude=same) == before.model_dump(exclude=same)
    assert transition.undo_promotion(
        stage.runtime.database, before.id, actor=ADMIN, now=NOON
    )
    assert stage.find(before.id).environment is Environment.DEVELOPMENT
    assert stage.acts() == ["zoom_app.promoted", "zoom_app.demoted"]


def test_a_pair_that_has_its_other_pair_here_is_not_promoted(stage: Stage) -> None:
    production = stage.add()
    stage.link(production)

    with pytest.raises(ConflictError, match="other pair of that app"):
        transition.promote(
            stage.runtime.database, stage.development.id, actor=ADMIN, now=NOON
        )
    with pytest.raises(ConflictError, match="other pair of that app"):
        transition.undo_promotion(
            stage.runtime.database, production, actor=ADMIN, now=NOON
        )


def test_linking_is_undone_by_unlinking(stage: Stage) -> None:
    production = stage.add()

    stage.link(production)
    stage.link(production)
    linked = stage.find(production).succeeds_id
    transition.unlink(stage.runtime, stage.development.id, actor=ADMIN)
    transition.unlink(stage.runtime, stage.development.id, actor=ADMIN)

    assert linked == stage.development.id
    assert stage.find(production).succeeds_id is None
    assert stage.acts() == ["zoom_app.linked", "zoom_app.unlinked"]


@pytest.mark.parametrize(
    ("over", "sentence"),
    [
        ({"environment": Environment.DEVELOPMENT}, "as a development app"),
        ({"kind": Kind.ACCOUNT_LEVEL}, "can't be matched"),
        ({"succeeds_id": uuid4()}, "replaces another zoom app"),
    ],
)
def test_what_does_not_go_together_is_neither_linked_nor_offered(
    stage: Stage, over: dict[str, Any], sentence: str
) -> None:
    other = stage.add(client_id=CLIENT_ID, **over)

    with pytest.raises(ConflictError, match=sentence):
        stage.link(other)
    with pytest.raises(ConflictError, match=sentence):
        stage.begin()

    assert stage.find(other).succeeds_id == over.get("succeeds_id")
    with stage.runtime.database.reading() as session:
        assert list(transition.candidates(session, stage.development)) == []


def test_a_second_production_app_is_refused(stage: Stage) -> None:
    first, second = stage.add(), stage.add(client_id=CLIENT_ID)
    stage.link(first)

    with pytest.raises(ConflictError, match="already has a production app"):
        stage.link(second)
    with pytest.raises(ConflictError, match="already has a production app"):
        stage.begin()

    assert stage.find(second).succeeds_id is None


def test_both_ends_see_the_same_move(stage: Stage) -> None:
    production = stage.add(name="Live")
    stage.link(production)

    with stage.runtime.database.reading() as session:
        seen = [
            transition.status_of(session, each)
            for each in (stage.development.id, production)
        ]

    assert seen[0] == seen[1]
    assert seen[0] is not None
    assert seen[0].production is not None
    assert seen[0].production.id == production
    assert not seen[0].is_open


def test_a_production_app_of_its_own_is_in_no_move(stage: Stage) -> None:
    production = stage.add()

    with stage.runtime.database.reading() as session:
        assert transition.status_of(session, production) is None


def test_the_command_line_is_told_of_like_a_person(stage: Stage) -> None:
    transition.link(
        stage.runtime,
        stage.development.id,
        stage.add(),
        actor=audit.COMMAND_LINE,
    )

    with stage.runtime.database.reading() as session:
        (entry,) = session.exec(AUDIT_LOG).all()
    assert entry.actor == "command line"
    assert str(stage.development.id) in entry.subject


@pytest.fixture
def connect_stage(runtime: Runtime, sandbox: RunningSandbox) -> ConnectStage:
    return a_connect_stage(runtime, sandbox, verdict=Verdict.WRONG)


def retire(connect_stage: ConnectStage) -> bool:
    return transition.retire(connect_stage.runtime, connect_stage.app.id, actor=ADMIN)


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


def test_retiring_and_bringing_back_are_each_done_once(
    connect_stage: ConnectStage,
) -> None:
    runtime, app_id = connect_stage.runtime, connect_stage.app.id

    assert (retire(connect_stage), retire(connect_stage)) == (True, False)
    assert stored(runtime, app_id).retired_at == NOON
    back = [transition.bring_back(runtime, app_id, actor=ADMIN) for _ in range(2)]
    assert back == [True, False]
    assert stored(runtime, app_id).retired_at is None
    acts = [act for act, _ in audited(runtime)]
    assert acts == ["zoom_app.retired", "zoom_app.brought_back"]


def test_the_audit_log_keeps_how_many_were_left(connect_stage: ConnectStage) -> None:
    runtime = connect_stage.runtime
    production = add(
        runtime, environment=Environment.PRODUCTION, succeeds_id=connect_stage.app.id
    )
    with runtime.database.writing() as session:
        for user in ("ana", "ben", "carla"):
            session.add(a_connection(connect_stage.app, zoom_user_id=user))
        session.add(a_connection(production, zoom_user_id="ben"))

    retire(connect_stage)

    ((_, subject),) = audited(runtime)
    assert subject.endswith(": 2 had not reconnected")


def test_a_production_app_is_not_retired(runtime: Runtime) -> None:
    production = add(runtime, environment=Environment.PRODUCTION)

    with pytest.raises(ConflictError, match="not a development app"):
        transition.retire(runtime, production.id, actor=ADMIN)

    assert stored(runtime, production.id).retired_at is None


def test_an_unknown_app_is_neither_retired_nor_brought_back(runtime: Runtime) -> None:
    unknown = UUID(int=1)

    for act in (transition.retire, transition.bring_back):
        with pytest.raises(NotFoundError):
            act(runtime, unknown, actor=ADMIN)


def test_it_is_last_in_the_list_and_asks_for_nothing(
    connect_stage: ConnectStage,
) -> None:
    runtime = connect_stage.runtime
    add(runtime, name="Zebra", verdict=Verdict.RIGHT, checked_at=NOON)

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
    retire(connect_stage)

    assert before == (["Notetaker", "Zebra"], ["Notetaker", "Zebra"], 1)
    assert seen() == (["Zebra", "Notetaker"], ["Zebra"], 0)


def test_its_webhooks_are_still_taken_and_forwarded(
    connect_stage: ConnectStage,
) -> None:
    runtime = connect_stage.runtime
    retire(connect_stage)

    webhook_id = arrive(runtime, connect_stage.app.id)
    runtime.writer.flush()
    Worker(runtime, chores=[]).run_once(runtime.clock.now())

    assert find(runtime, webhook_id).outcome == "delivered"
    assert len(at_recall(connect_stage.sandbox)) == 1


def test_a_user_who_is_at_zoom_meanwhile_is_still_connected(
    connect_stage: ConnectStage,
) -> None:
    begun = connect_stage.begin()
    query = connect_stage.allow(begun)

    retire(connect_stage)

    assert connect_stage.outcome(**query).outcome == "connected"


def test_no_attempt_begins_any_more(connect_stage: ConnectStage) -> None:
    retire(connect_stage)

    with pytest.raises(ConflictError, match="no longer works"):
        connect_stage.begin()


def test_who_comes_back_without_a_state_is_not_sent_to_it(
    connect_stage: ConnectStage,
) -> None:
    def only() -> ZoomApp | None:
        with connect_stage.runtime.database.reading() as session:
            return flow.only_ready(session)

    before = only()
    retire(connect_stage)

    assert before is not None
    assert before.id == connect_stage.app.id
    assert only() is None
