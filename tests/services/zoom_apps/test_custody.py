"""Token storage: changing it, disconnecting a grant that is kept here."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlmodel import select

from dashboard.errors import ConflictError, InvalidInputError, UpstreamError
from dashboard.models.connection import Connection
from dashboard.models.held_grant import HeldGrant
from dashboard.models.zoom_app import TokenCustody, ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.audit import Actor
from dashboard.services.connections import actions
from dashboard.services.grants import refreshing
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import custody
from tests.fixtures.audit import AUDIT_LOG
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.fixtures.exchange_here import a_holding_stage, at_zoom, lives
from tests.makers import FakeClock

ADMIN = Actor(name="admin@example.com")
TO_US, TO_RECALL = TokenCustody.DASHBOARD, TokenCustody.RECALL


@pytest.fixture
def stage(runtime: Runtime, sandbox: RunningSandbox) -> ConnectStage:
    """A zoom app whose tokens Recall keeps."""
    return a_connect_stage(runtime, sandbox)


@pytest.fixture
def held(runtime: Runtime, sandbox: RunningSandbox) -> Iterator[ConnectStage]:
    """One whose tokens are kept here."""
    with a_holding_stage(runtime, sandbox) as made:
        yield made


def change(
    stage: ConnectStage, to: TokenCustody, *, is_understood: bool = False
) -> None:
    custody.change(
        stage.runtime, stage.app.id, to, is_understood=is_understood, actor=ADMIN
    )


def now(stage: ConnectStage) -> TokenCustody:
    with stage.runtime.database.reading() as session:
        return session.get_one(ZoomApp, stage.app.id).token_custody


def kept(stage: ConnectStage) -> int:
    """Return how many connections and grants there are, in all."""
    with stage.runtime.database.reading() as session:
        rows = session.exec(select(Connection)).all()
        return len(rows) + len(session.exec(select(HeldGrant)).all())


def test_where_nobody_is_connected_it_changes_at_once(stage: ConnectStage) -> None:
    change(stage, TO_US)

    assert now(stage) is TO_US
    with stage.runtime.database.reading() as session:
        [entry] = session.exec(AUDIT_LOG).all()
    assert (entry.act, entry.actor) == ("zoom_app.custody", "admin@example.com")
    assert entry.subject.endswith("tokens kept by the dashboard")


def test_while_users_are_connected_somebody_has_to_know_what_it_costs(
    stage: ConnectStage,
) -> None:
    connection = stage.connect()

    with pytest.raises(InvalidInputError, match="need to reconnect") as caught:
        change(stage, TO_US)
    assert caught.value.field == "is_understood"
    assert now(stage) is TO_RECALL

    change(stage, TO_US, is_understood=True)
    with stage.runtime.database.reading() as session:
        outlook = custody.outlook(session, stage.app.id)
    assert (outlook.to, outlook.staying, outlook.moved) == (TO_RECALL, 0, 1)
    assert stage.connection(connection.id).token_custody is TO_RECALL
    assert at_zoom(stage) is not None  # nobody's grant was touched


def test_what_is_so_already_is_said(stage: ConnectStage) -> None:
    with pytest.raises(ConflictError, match="Tokens are already stored in Recall"):
        change(stage, TO_RECALL)


def test_an_address_too_long_for_recall_keeps_it_as_it_is(stage: ConnectStage) -> None:
    far = replace(stage.runtime, public_url=f"https://{'a' * 150}.example.com")

    with pytest.raises(ConflictError, match="shorter DASHBOARD_PUBLIC_URL"):
        custody.change(far, stage.app.id, TO_US, is_understood=True, actor=ADMIN)

    assert now(stage) is TO_RECALL


def test_disconnecting_revokes_at_zoom_and_deletes_in_recall(
    held: ConnectStage,
) -> None:
    connection = held.connect()

    actions.disconnect(held.runtime, connection.id, actor=ADMIN)

    assert at_zoom(held) is None
    assert held.credentials() == []
    assert kept(held) == 0


def test_a_grant_that_is_dead_already_is_no_obstacle(held: ConnectStage) -> None:
    connection = held.connect()
    held.sandbox.zoom_world.revoke_grant(held.app.client_id, held.ana.id)

    actions.disconnect(held.runtime, connection.id, actor=ADMIN)

    assert kept(held) == 0


@pytest.mark.parametrize("is_known", [False, True])
def test_nor_is_a_pair_that_zoom_refuses(
    held: ConnectStage,
    clock: FakeClock,
    is_known: bool,  # noqa: FBT001 - of the table above
) -> None:
    connection = held.connect()
    held.sandbox.zoom_world.change_app(held.app.client_id, client_secret="another")
    clock.advance(hours=2)
    held.sandbox.clock.set(clock.now())
    if is_known:
        with pytest.raises(UpstreamError):
            refreshing.live_token(held.runtime, connection.id, at_least_s=120)

    actions.disconnect(held.runtime, connection.id, actor=ADMIN)

    assert kept(held) == 0


def test_while_zoom_is_down_nothing_is_deleted_here(held: ConnectStage) -> None:
    connection = held.connect()
    down = Fault(kind=FaultKind.UNAVAILABLE, path="/oauth/revoke")
    held.sandbox.zoom_faults.set([down])

    with pytest.raises(UpstreamError):
        actions.disconnect(held.runtime, connection.id, actor=ADMIN)
    assert lives(held, connection)

    held.sandbox.zoom_faults.set([])
    actions.disconnect(held.runtime, connection.id, actor=ADMIN)
    assert kept(held) == 0


def test_what_recall_keeps_is_not_revoked_here(stage: ConnectStage) -> None:
    connection = stage.connect()

    actions.disconnect(stage.runtime, connection.id, actor=ADMIN)

    assert at_zoom(stage) is not None
