"""Holds in the database: what stands still, its probes, and how it goes on."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import select

from dashboard.clients.delivery import Answer, Failure
from dashboard.db import Database
from dashboard.models.circuit import CircuitKind, OpenCircuit
from dashboard.models.webhook import Outcome, Webhook
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.relay import circuit, claims, queues
from dashboard.services.relay.circuit import STRIKES, CircuitState, next_state
from dashboard.services.relay.sending import Delivery, Result, conclude
from dashboard.vault import Vault
from tests.fixtures.delivery import (
    BUSY,
    RETENTION,
    Add,
    add,
    app_id,
    attempts,
    find,
    record,
    take,
    tried,
)
from tests.makers import NOON, a_zoom_app, saved_app

__all__ = ["add", "app_id"]

REFUSED = Answer(status=401)
GONE = Answer(failure=Failure.REFUSED)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def state(database: Database) -> list[OpenCircuit]:
    with database.reading() as session:
        return list(session.exec(select(OpenCircuit)).all())


def answer_all(
    database: Database, answer: Answer, now: datetime = NOON
) -> list[Delivery]:
    """Claim what may be sent and have Recall answer all of it so."""
    taken = take(database, now)
    record(database, *(tried(each, answer, started_at=now) for each in taken), now=now)
    return taken


def ids(deliveries: list[Delivery]) -> list[int]:
    return [each.webhook_id for each in deliveries]


def test_while_recall_is_down_one_probe_at_a_time_is_sent(
    database: Database, add: Add
) -> None:
    rows = [add() for _ in range(8)]
    with database.writing() as session:  # five of them fail
        taken = claims.claim(session, limit=5, now=NOON, worker="test:1")
    record(database, *(tried(each, GONE) for each in taken))

    too_early = take(database, after(0.9))
    with database.reading() as session:
        looks = [claims.is_any_due(session, now=after(n)) for n in (0, 0.9, 1, 60)]
    probe = take(database, after(1))
    meanwhile = take(database, after(2))

    assert too_early == []
    assert looks == [False, False, True, True]  # no writing while there is no probe
    assert ids(probe) == rows[5:6]
    assert probe[0].probes == {probe[0].workspace_id}
    assert meanwhile == []


def test_a_dead_workers_probe_is_free_when_its_lease_ends(
    database: Database, add: Add
) -> None:
    for _ in range(6):
        add()
    answer_all(database, GONE)
    [lost] = take(database, after(2))

    [again] = take(database, after(2) + claims.LEASE)

    assert again.probes == lost.probes


def test_two_workers_never_probe_the_same(database: Database, add: Add) -> None:
    for _ in range(6):
        add()
    answer_all(database, GONE)
    with database.reading() as session:
        [hold] = session.exec(select(OpenCircuit)).all()

    with database.writing() as session:
        mine = circuit.claim_probes(session, [hold.id], until=after(40), now=after(2))
    with database.writing() as session:
        theirs = circuit.claim_probes(session, [hold.id], until=after(40), now=after(2))

    assert (mine, theirs) == (True, False)


def test_a_worker_that_read_the_queue_before_another_probed_it_claims_nothing(
    database: Database, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(6):
        add()
    answer_all(database, GONE)
    with database.reading() as session:
        before = queues.targets_of(session)
    [probe] = take(database, after(2))
    monkeypatch.setattr(claims, "targets_of", lambda _: before)

    late = take(database, after(2))

    assert before[0].is_due(after(2))
    assert probe.probes
    assert late == []


def test_the_first_success_ends_the_hold_and_all_is_due_oldest_first(
    database: Database, add: Add
) -> None:
    tried_once = [add() for _ in range(5)]
    answer_all(database, GONE)
    backlog = [
        add(received_at=after(n), due_at=after(n), attempts=4) for n in (0.1, 0.2, 0.3)
    ]
    [failed] = answer_all(database, GONE, after(2))
    [probe] = take(database, after(4.1))

    record(database, tried(probe, started_at=after(4.1)), now=after(4.1))

    assert state(database) == []
    assert [failed.webhook_id, probe.webhook_id] == backlog[:2]
    left = ids(take(database, after(4.1)))
    assert left[0] == failed.webhook_id  # else due in a minute
    assert sorted(left[1:]) == sorted([*tried_once, backlog[2]])


def test_a_leased_webhook_is_not_made_due_by_the_end_of_a_hold(
    database: Database, add: Add
) -> None:
    add(due_at=after(-1))
    [under_way] = take(database)
    for _ in range(6):
        add()
    answer_all(database, GONE)
    answer_all(database, GONE, after(2))
    [probe] = take(database, after(4))

    record(database, tried(probe, started_at=after(4)), now=after(4))

    assert under_way.webhook_id not in ids(take(database, after(4)))


def test_a_webhook_recall_always_answers_500_stops_nobody(
    database: Database, add: Add
) -> None:
    poison = add(due_at=after(-100), received_at=after(-100))
    others = [add() for _ in range(7)]
    answer_all(database, BUSY)  # Recall is down for all
    now, delivered = NOON, []

    for second in range(1, 12):
        now = after(second)
        for each in take(database, now):
            is_poison = each.webhook_id == poison
            answer = BUSY if is_poison else Answer(status=200)
            record(database, tried(each, answer, started_at=now), now=now)
            if not is_poison:
                delivered.append(each.webhook_id)

    assert sorted(delivered) == sorted(others)
    assert state(database) == []
    assert find(database, poison).outcome is Outcome.WAITING


def test_probes_that_fail_take_turns(database: Database, add: Add) -> None:
    rows = [add() for _ in range(8)]
    with database.writing() as session:
        taken = claims.claim(session, limit=5, now=NOON, worker="test:1")
    record(database, *(tried(each, GONE) for each in taken))

    probes = [answer_all(database, GONE, after(n)) for n in (1.5, 4, 10)]

    assert [ids(each) for each in probes] == [[rows[5]], [rows[6]], [rows[7]]]


def test_a_refused_zoom_app_stands_still_and_nothing_of_it_dies(
    database: Database, add: Add
) -> None:
    rows = [add() for _ in range(3)]
    now = NOON

    for _ in range(60):
        now += timedelta(hours=10)
        answer_all(database, REFUSED, now)

    [hold] = state(database)
    assert hold.is_holding
    assert "An admin saves the secret token again" in hold.reason
    assert {find(database, row).outcome for row in rows} == {Outcome.WAITING}
    assert {find(database, row).attempts for row in rows} == {0}
    assert attempts(database, rows[0])


def test_after_the_retention_it_is_given_up_and_says_so(
    database: Database, add: Add
) -> None:
    webhook_id = add()
    [delivery] = take(database, NOON + RETENTION)

    record(database, tried(delivery, REFUSED), now=NOON + RETENTION)

    webhook = find(database, webhook_id)
    assert webhook.outcome is Outcome.DEAD
    assert webhook.outcome_reason.startswith("Given up after 30 days")


def test_one_refused_webhook_does_not_hold_its_queue_up(
    database: Database, add: Add
) -> None:
    poison = add(received_at=after(-10), due_at=after(-10))
    answer_all(database, REFUSED)
    others = [add() for _ in range(5)]

    probe = answer_all(database, Answer(status=200))
    rest = answer_all(database, Answer(status=200))

    assert ids(probe + rest) == others
    assert state(database) == []
    assert find(database, poison).due_at == after(5)  # not at once: it would hold again


def test_another_zoom_app_of_the_workspace_goes_on(
    database: Database, vault: Vault, add: Add, app_id: UUID
) -> None:
    with database.writing() as session:
        workspace_id = session.get_one(ZoomApp, app_id).workspace_id
        other = a_zoom_app(vault, recall_app_id=UUID(int=9), workspace_id=workspace_id)
        session.add(other)
    add()
    answer_all(database, REFUSED)
    theirs = [add(zoom_app_id=other.id) for _ in range(3)]

    assert ids(take(database)) == theirs


def test_another_workspace_goes_on(database: Database, vault: Vault, add: Add) -> None:
    with database.writing() as session:
        other = saved_app(session, vault)
    for _ in range(6):
        add()
    answer_all(database, GONE)
    theirs = [add(zoom_app_id=other) for _ in range(3)]

    assert ids(take(database)) == theirs


@pytest.mark.parametrize("kind", ["zoom_app_id", "workspace_id"])
def test_what_a_person_mended_is_probed_at_once(
    database: Database, add: Add, app_id: UUID, kind: str
) -> None:
    webhook_id = add()
    answer = REFUSED if kind == "zoom_app_id" else Answer(status=402)
    answer_all(database, answer)
    answer_all(database, answer, after(5))
    with database.writing() as session:
        workspace_id = session.get_one(ZoomApp, app_id).workspace_id
        its_id = app_id if kind == "zoom_app_id" else workspace_id
        circuit.probe_now(session, **{kind: its_id}, now=after(6))

    assert ids(take(database, after(6))) == [webhook_id]


def test_only_what_stands_still_with_something_waiting_is_listed(
    database: Database, add: Add, app_id: UUID
) -> None:
    for _ in range(3):
        add()
    answer_all(database, REFUSED)

    with database.reading() as session:
        [listed] = circuit.list_paused(session, at_most=2)
    with database.writing() as session:
        for webhook in session.exec(select(Webhook)):
            webhook.outcome = Outcome.DEAD
    with database.reading() as session:
        then = circuit.list_paused(session, at_most=2)

    assert (listed.state.id, listed.waiting) == (app_id, 2)
    assert then == []


WORKSPACE, APP = UUID(int=1), UUID(int=2)
PAGE = {"content-type": "text/html"}
_OF_WORKSPACE, _OF_APP = CircuitKind.WORKSPACE, CircuitKind.ZOOM_APP
_NO_ANSWERS = [each for each in Failure if each is not Failure.SEALED]
FINE, STRUCK, STILL, NOTHING = "fine", "struck", "stands still", "as before"


def a_result(answer: Answer, *, at: datetime = NOON, **over: Any) -> Result[Delivery]:
    values: dict[str, Any] = {
        "webhook_id": 1,
        "claim": 1,
        "worker": "test:1",
        "attempts": 0,
        "event": "meeting.created",
        "verdict": "current",
        "received_at": NOON,
        "zoom_app_id": APP,
        "recall_app_id": UUID(int=3),
        "workspace_id": WORKSPACE,
        "region": "us-east-1",
        "headers": b"",
        "body": b"",
    }
    delivery = Delivery(**(values | over))
    return conclude(delivery, answer, sent=b"{}", started_at=at, secrets=[])


def workspace(
    state: CircuitState | None, answer: Answer, *, now: datetime = NOON, **over: Any
) -> CircuitState | None:
    result = a_result(answer, **over)
    return next_state(state, result, kind=CircuitKind.WORKSPACE, now=now)


def app(
    state: CircuitState | None, answer: Answer, *, now: datetime = NOON, **over: Any
) -> CircuitState | None:
    return next_state(
        state, a_result(answer, **over), kind=CircuitKind.ZOOM_APP, now=now
    )


def still(kind: CircuitKind, **over: Any) -> CircuitState:
    its_id = WORKSPACE if kind is CircuitKind.WORKSPACE else APP
    state = CircuitState(
        id=its_id, kind=kind, failures=9, is_holding=True, since=NOON, probe_at=NOON
    )
    return replace(state, **over)


def said(before: CircuitState, stands: CircuitState | None) -> str:
    if stands is None:
        return FINE
    if stands == before:
        return NOTHING
    return STILL if stands.is_holding else STRUCK


@pytest.mark.parametrize(
    ("answer", "of_workspace", "of_app"),
    [
        (Answer(status=200), FINE, FINE),
        (Answer(status=204), FINE, FINE),
        (Answer(status=401), FINE, STILL),
        (Answer(status=403), FINE, STILL),
        (Answer(status=404), FINE, STILL),
        (Answer(status=402), STILL, NOTHING),
        (Answer(status=307), STILL, NOTHING),
        (Answer(status=429), STILL, NOTHING),
        (Answer(status=403, headers=PAGE, body=b"<html>"), STRUCK, NOTHING),
        (Answer(status=200, headers=PAGE, body=b"<html>"), STRUCK, NOTHING),
        (Answer(status=408), STRUCK, NOTHING),
        (Answer(status=500), STRUCK, NOTHING),
        (Answer(status=503), STRUCK, NOTHING),
        *(
            (Answer(failure=each), STRUCK, NOTHING)
            for each in Failure
            if each != "sealed"
        ),
        (Answer(failure=Failure.SEALED), NOTHING, NOTHING),
        (Answer(status=409), FINE, NOTHING),
        (Answer(status=400), FINE, NOTHING),
        (Answer(status=413), FINE, NOTHING),
        (Answer(status=422), FINE, NOTHING),
    ],
    ids=str,
)
def test_what_an_answer_says_of_workspace_and_zoom_app(
    answer: Answer, of_workspace: str, of_app: str
) -> None:
    strikes = still(CircuitKind.WORKSPACE, failures=1, is_holding=False)
    refusals = still(CircuitKind.ZOOM_APP, failures=1, is_holding=False)

    assert said(strikes, workspace(strikes, answer)) == of_workspace
    assert said(refusals, app(refusals, answer)) == of_app


def test_a_workspace_stands_still_after_five_webhooks_in_a_row() -> None:
    state: CircuitState | None = None
    seen = []
    for number in range(STRIKES):
        state = workspace(state, Answer(status=500), webhook_id=number)
        seen.append(state is not None and state.is_holding)

    assert seen == [False] * 4 + [True]
    assert state is not None
    assert state.probe_at == NOON + timedelta(seconds=1)
    assert state.reason == "Recall could not accept it (500)."


def test_one_webhook_that_always_fails_counts_once() -> None:
    first = workspace(None, Answer(status=500))

    assert workspace(first, Answer(status=500), attempts=1) == first
    assert workspace(None, Answer(status=500), attempts=1) is None


@pytest.mark.parametrize(
    ("kind", "probes", "wait_s"),
    [
        *zip(
            [CircuitKind.WORKSPACE] * 8,
            range(8),
            [1, 2, 5, 10, 20, 30, 30, 30],
            strict=True,
        ),
        *zip(
            [CircuitKind.ZOOM_APP] * 6,
            range(1, 7),
            [5, 15, 30, 60, 60, 60],
            strict=True,
        ),
    ],
)
def test_probes_come_at_longer_and_longer_intervals(
    kind: CircuitKind, probes: int, wait_s: int
) -> None:
    before = still(kind, probes=probes)
    answer = Answer(status=500 if kind is CircuitKind.WORKSPACE else 401)
    result = a_result(answer, probes=frozenset({before.id}))

    stands = next_state(before, result, kind=kind, now=NOON)

    assert stands is not None
    assert stands.probe_at == NOON + timedelta(seconds=wait_s)


def test_the_first_probe_of_a_refused_zoom_app_follows_at_once() -> None:
    stands = app(None, Answer(status=401))

    assert stands is not None
    assert stands.is_holding
    assert stands.probe_at == NOON


def test_what_was_under_way_before_does_not_move_the_probe() -> None:
    before = still(CircuitKind.WORKSPACE, probe_at=NOON + timedelta(seconds=7))

    stands = workspace(before, Answer(failure=Failure.TIMEOUT))

    assert stands is not None
    assert stands.probe_at == before.probe_at


@pytest.mark.parametrize(("asked", "waited_s"), [("120", 120), ("9000", 600)])
def test_recall_is_probed_when_it_asked_to_be_but_for_ten_minutes_at_most(
    asked: str, waited_s: int
) -> None:
    stands = workspace(None, Answer(status=429, headers={"retry-after": asked}))

    assert stands is not None
    assert stands.probe_at == NOON + timedelta(seconds=waited_s)


def test_what_recall_took_before_it_asked_to_stop_does_not_set_it_going() -> None:
    stands = workspace(None, Answer(status=429), now=NOON)
    early = workspace(stands, Answer(status=200), at=NOON - timedelta(seconds=1))

    assert early == stands
    assert workspace(stands, Answer(status=200), at=NOON) is None


def test_a_probe_that_says_nothing_is_followed_by_another() -> None:
    before = still(CircuitKind.ZOOM_APP, probes=2, reason="Refused.")

    stands = app(before, Answer(status=500), probes=frozenset({APP}))

    assert stands == replace(before, probe_at=NOON + timedelta(seconds=15))
