"""A clock that was ahead leaves nothing behind that waits or that proves anything."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import Session, SQLModel, col, select

from dashboard.app import web_chores
from dashboard.db import Database
from dashboard.db.columns import UtcDateTime
from dashboard.models.check import Check, Finding, Source
from dashboard.models.connection import Connection, TokenState
from dashboard.models.held_grant import HeldGrant
from dashboard.models.ids import new_id
from dashboard.models.staff import Throttle
from dashboard.models.watch import Milestone, ProbeSchedule
from dashboard.models.webhook import Outcome, Webhook
from dashboard.models.worker import HostEvent
from dashboard.models.workspace import Verdict, Workspace
from dashboard.models.zoom_app import SecretChange, ZoomApp
from dashboard.services.facts import connections, zoom_apps
from dashboard.services.facts.acting import Who
from dashboard.services.host import events
from dashboard.services.repair import repair
from dashboard.services.runtime import Runtime
from dashboard.services.sweep.backoff import Backoff
from dashboard.services.validation import evidence
from dashboard.services.validation.states import State
from dashboard.services.zoom_apps import credential_checks, secret_changes
from dashboard.serving import begin_web_chores
from dashboard.vault import Vault
from tests.makers import (
    NOON,
    FakeClock,
    a_connection,
    a_webhook,
    a_workspace,
    saved_app,
)

AHEAD = NOON + timedelta(days=30)

SHOWN = {
    "only shown": """
        alert.acknowledged_at alert_channel.created_at alert_channel.last_sent_at
        alert_message.ended_at user_mail.created_at user_mail.ended_at
        audit_entry.at staff_identity.linked_at staff_identity.unmapped_at
        audit_seal.at audit_key.made_at audit_tally.at
        audit_stream.failed_at validation_check.told_at connection.deauthorized_at
        connection_event.at
        connect_attempt.created_at connect_attempt.ended_at erasure.removed_at
        erasure.recall_done_at erasure.here_done_at erasure.ended_at held_grant.asked_at
        held_grant.failed_at held_grant.lost_at held_grant.served_at
        held_grant.unsigned_at invitation.created_at invitation.opened_at
        invitation.ended_at meeting_mapping.synced_at resend.asked_at resend.ended_at
        redelivery.refused_at redelivery.ended_at staff.created_at
        authenticator.created_at authenticator.confirmed_at passkey.created_at
        passkey.last_used_at recovery_code.created_at staff_link.created_at
        staff.last_sign_in_at staff.disabled_at webhook.received_at webhook.refused_at
        webhook.delivered_at webhook.erased_at arrival.received_at attempt.started_at
        refusal.received_at refusal_count.hour_at workspace.api_key_set_at
        workspace.created_at workspace.verification_secret_set_at
        zoom_app.created_at zoom_app.retired_at
        secret_change.zoom_seen_at secret_change.ended_at
        bot_test.begun_at bot_test.ended_at delivery_log.read_at delivery_log.since
        failed_delivery.sent_at own_server.set_at
        page_design.changed_at domain_proof.set_at account_member.pmi_changed_at
        host_event.at setting_secret.seen_at
        api_token.created_at api_token.last_used_at api_token.revoked_at
        host_event.about_at worker_heartbeat.started_at rate_pause.said_at
        event.at endpoint.created_at endpoint.paused_at endpoint.delivered_at
        endpoint_delivery.made_at endpoint_delivery.refused_at
        endpoint_delivery.ended_at endpoint_attempt.started_at
        connection.reconnect_said_at
    """,
    "put right with another of its row": """
        validation_check.at connection.token_expires_at held_grant.expires_at
        api_replay.created_at api_replay.lease_until
    """,
    "a promise to a person, or the law's": """
        invitation.expires_at erasure.deadline_at api_token.expires_at
    """,
    "the other host's own": "watch.log_seen_at",
}


def test_every_time_of_every_table_is_put_right_or_known_to_decide_nothing() -> None:
    ruled = {f"{rule.model.__tablename__}.{rule.column}" for rule in repair.RULES}
    known = ruled | {name for names in SHOWN.values() for name in names.split()}
    times = {
        f"{table.name}.{column.name}"
        for table in SQLModel.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, UtcDateTime)
    }

    assert times - known == set()


def store(database: Database, *rows: Any) -> None:
    with database.writing() as session:
        session.add_all(rows)


@pytest.fixture
def zoom_app(database: Database, vault: Vault) -> ZoomApp:
    with database.writing() as session:
        app_id = saved_app(session, vault)
        return session.get_one(ZoomApp, app_id)


def a_check(zoom_app: ZoomApp, at: datetime, **over: Any) -> Check:
    values = {
        "source": Source.ZOOM_CHALLENGE,
        "finding": Finding.GOOD,
        "detail": "Answered.",
        **over,
    }
    return Check(id=new_id(at), zoom_app_id=zoom_app.id, at=at, **values)


def state(database: Database, zoom_app: ZoomApp, now: datetime) -> State:
    with database.reading() as session:
        seen = evidence.evidence(session, zoom_app.id, now=now)
    return evidence.zoom_status(seen, now).state


def is_green(row: Connection, *, now: datetime) -> bool:
    return connections.standing(row, now=now).tone == "good"


def test_a_check_from_the_future_makes_nothing_green_and_hides_no_bad_one(
    database: Database, zoom_app: ZoomApp
) -> None:
    store(database, a_check(zoom_app, AHEAD))

    assert state(database, zoom_app, NOON) is not State.VALID

    bad = a_check(zoom_app, NOON, finding=Finding.SECRET_MISMATCH)
    store(database, bad)
    assert state(database, zoom_app, NOON) is State.SECRET_MISMATCH


def test_nor_does_it_when_its_time_has_come(
    database: Database, zoom_app: ZoomApp
) -> None:
    store(database, a_check(zoom_app, AHEAD))
    store(database, a_check(zoom_app, NOON, finding=Finding.SECRET_MISMATCH))

    repair.put_right(database, now=NOON)

    assert state(database, zoom_app, AHEAD + timedelta(hours=1)) is not State.VALID


def test_two_clocks_may_differ_by_the_usual_skew(
    database: Database, zoom_app: ZoomApp
) -> None:
    store(database, a_check(zoom_app, NOON + timedelta(seconds=50)))

    assert repair.put_right(database, now=NOON) == 0
    assert state(database, zoom_app, NOON) is State.VALID


def test_many_checks_from_the_future_do_not_push_out_those_of_now(
    database: Database, zoom_app: ZoomApp
) -> None:
    later = [a_check(zoom_app, AHEAD + timedelta(days=i)) for i in range(30)]
    store(database, a_check(zoom_app, NOON), *later)

    assert state(database, zoom_app, NOON) is State.VALID


def test_a_connection_seen_in_the_future_is_not_green_and_is_due_now(
    database: Database, zoom_app: ZoomApp
) -> None:
    row = a_connection(
        zoom_app,
        token_state=TokenState.HEALTHY,
        token_checked_at=AHEAD,
        token_expires_at=AHEAD + timedelta(hours=1),
        pmi_seen_at=AHEAD,
        due_at=AHEAD,
        lease_until=AHEAD,
    )
    store(database, row)
    assert not is_green(row, now=NOON)

    repair.put_right(database, now=NOON)

    with database.reading() as session:
        found = session.exec(select(Connection)).one()
    assert (found.due_at, found.lease_until, found.pmi_seen_at) == (NOON, None, None)
    assert not is_green(found, now=AHEAD + timedelta(minutes=1))


def test_an_answer_from_the_future_is_none_of_this_minute(
    database: Database, zoom_app: ZoomApp, vault: Vault
) -> None:
    workspace = a_workspace(vault, verdict=Verdict.RIGHT, checked_at=AHEAD)
    store(database, workspace)
    with database.writing() as session:
        app = session.get_one(ZoomApp, zoom_app.id)
        app.verdict, app.checked_at = Verdict.RIGHT, AHEAD
        session.add(app)

    repair.put_right(database, now=NOON)

    with database.reading() as session:
        app = session.get_one(ZoomApp, zoom_app.id)
        space = session.get_one(Workspace, workspace.id)
    assert not credential_checks.is_accepted(app, since=NOON - timedelta(minutes=1))
    assert (app.pair_due_at, space.key_due_at) == (NOON, NOON)
    assert zoom_apps.pair(app, now=NOON).tone != "good"
    assert zoom_apps.key(space, now=NOON).tone != "good"


def test_what_recall_was_given_does_not_come_after_what_fails_since(
    database: Database, zoom_app: ZoomApp
) -> None:
    given = SecretChange(
        id=new_id(AHEAD),
        zoom_app_id=zoom_app.id,
        asked_by="admin@example.com",
        has_client_secret=True,
        has_secret_token=False,
        stored_at=AHEAD,
        recall_at=AHEAD,
    )
    failing = a_connection(zoom_app, token_since=AHEAD + timedelta(hours=1))
    store(database, given, failing)

    repair.put_right(database, now=NOON)

    with database.reading() as session:
        given_at = secret_changes.given_at(session, zoom_app.id)
        since = session.get_one(Connection, failing.id).token_since
    assert given_at is not None
    assert since is not None
    assert given_at < since


def test_what_waits_is_due_now_and_what_is_over_stays(
    database: Database, zoom_app: ZoomApp
) -> None:
    waits = a_webhook(
        zoom_app, outcome=Outcome.WAITING, due_at=AHEAD, lease_until=AHEAD
    )
    failed = a_webhook(zoom_app, outcome=Outcome.DEAD, due_at=AHEAD)
    usual = a_webhook(
        zoom_app,
        outcome=Outcome.WAITING,
        due_at=NOON + timedelta(hours=1),
        event="usual",
    )
    probe = ProbeSchedule(
        zoom_app_id=zoom_app.id, poll_due_at=AHEAD, log_due_at=AHEAD, probe_due_at=AHEAD
    )
    store(database, waits, failed, usual, probe)
    ids = waits.id, failed.id, usual.id

    repair.put_right(database, now=NOON)

    with database.reading() as session:
        found = [session.get_one(Webhook, one).due_at for one in ids]
        row = session.exec(select(ProbeSchedule)).one()
    assert found == [NOON, AHEAD, NOON + timedelta(hours=1)]
    assert (row.poll_due_at, row.log_due_at, row.probe_due_at) == (NOON, NOON, NOON)


def test_a_token_obtained_in_the_future_is_refreshed_before_it_is_given_out(
    database: Database, zoom_app: ZoomApp
) -> None:
    row = a_connection(zoom_app)
    store(database, row)
    values: dict[str, Any] = {
        "access_token": b"",
        "refresh_token": b"",
        "obtained_at": AHEAD,
        "expires_at": AHEAD + timedelta(hours=1),
        "refresh_due_at": AHEAD,
    }
    store(database, HeldGrant(connection_id=row.id, key_hash=uuid4().hex, **values))

    repair.put_right(database, now=NOON)

    with database.reading() as session:
        found = session.exec(select(HeldGrant)).one()
    assert (found.expires_at, found.refresh_due_at) == (NOON, NOON)


def test_nobody_is_kept_out_by_tries_of_the_future(database: Database) -> None:
    store(database, Throttle(key="x" * 64, window_at=AHEAD, tries=99))

    repair.put_right(database, now=NOON)

    with database.reading() as session:
        assert session.exec(select(Throttle)).one().tries == 0


def test_a_step_seen_in_the_future_is_seen_again(
    database: Database, zoom_app: ZoomApp
) -> None:
    step = Milestone(zoom_app_id=zoom_app.id, key="challenge", at=AHEAD, proof="Seen.")
    store(database, step)

    repair.put_right(database, now=NOON)

    with database.reading() as session:
        assert session.exec(select(Milestone)).all() == []


def test_a_pause_of_the_sweep_from_the_future_is_over() -> None:
    backoff, app_id = Backoff(), uuid4()
    backoff.failed(app_id, now=AHEAD, wait_s=None)

    assert backoff.is_waiting(app_id, now=AHEAD)
    assert not backoff.is_waiting(app_id, now=NOON)


class SetClock(FakeClock):
    """A host's clock that a test sets, beside the time since boot."""

    set_by_s = 0.0

    def drift_s(self) -> float:
        return self.set_by_s


def with_clock(runtime: Runtime, clock: Any) -> Runtime:
    return replace(runtime, clock=clock)


def noticed(session: Session, now: datetime) -> list[float]:
    return [each.seconds for each in events.jumps(session, now=now)]


def test_a_clock_that_is_set_is_noticed_and_what_it_left_is_put_right(
    runtime: Runtime,
) -> None:
    clock = SetClock()
    watch = repair.ClockWatch(with_clock(runtime, clock))
    with runtime.database.writing() as session:
        app_id = saved_app(session, runtime.vault)
        zoom_app = session.get_one(ZoomApp, app_id)
    watch()
    store(runtime.database, a_connection(zoom_app, due_at=AHEAD))

    clock.set_by_s = -30 * 86_400.0
    assert watch() == 1

    with runtime.database.reading() as session:
        assert noticed(session, NOON) == [-30 * 86_400.0]
        assert session.exec(select(Connection.due_at)).one() == NOON


def test_what_several_processes_notice_is_one_jump(runtime: Runtime) -> None:
    clock = SetClock()
    here = with_clock(runtime, clock)
    watches: list[Callable[[], int]] = [repair.ClockWatch(here), *web_chores(here)]
    for watch in watches:
        watch()

    for set_by_s in (-30 * 86_400.0, -20 * 86_400.0):
        clock.set_by_s = set_by_s
        for watch in watches:
            watch()

    with runtime.database.reading() as session:
        found = session.exec(select(HostEvent.seconds).order_by(col(HostEvent.id)))
        assert sorted(found) == [-30 * 86_400.0, 10 * 86_400.0]


def test_a_web_process_puts_right_what_a_clock_left_though_no_worker_runs(
    runtime: Runtime,
) -> None:
    with runtime.database.writing() as session:
        app_id = saved_app(session, runtime.vault)
        zoom_app = session.get_one(ZoomApp, app_id)
    store(runtime.database, a_connection(zoom_app, due_at=AHEAD))

    end = begin_web_chores(with_clock(runtime, SetClock()))
    due_at = AHEAD
    for _ in range(200):
        with runtime.database.reading() as session:
            due_at = session.exec(select(Connection.due_at)).one()
        if due_at != AHEAD:
            break
        time.sleep(0.1)
    end()

    assert due_at == NOON


def test_a_clock_that_runs_as_it_should_is_not(runtime: Runtime) -> None:
    clock = SetClock()
    watch = repair.ClockWatch(with_clock(runtime, clock))
    for set_by_s in (0.0, 20.0, 40.0, 5.0):
        clock.set_by_s = set_by_s
        clock.advance(hours=1)
        watch()

    with runtime.database.reading() as session:
        assert session.exec(select(HostEvent)).all() == []


def test_after_a_restore_all_is_due_and_nothing_green(
    database: Database, zoom_app: ZoomApp
) -> None:
    rows = [
        a_connection(
            zoom_app,
            zoom_user_id=str(token_state),
            token_state=token_state,
            token_checked_at=NOON - timedelta(days=2),
            due_at=NOON + timedelta(hours=5),
        )
        for token_state in (TokenState.HEALTHY, TokenState.RECONNECT_NEEDED)
    ]
    store(database, *rows, a_check(zoom_app, NOON))
    restored_at = NOON + timedelta(hours=1)
    with database.writing() as session:
        session.get_one(ZoomApp, zoom_app.id).verdict = Verdict.RIGHT

    with database.writing() as session:
        repair.mark_restored(session, now=restored_at)

    with database.reading() as session:
        found = {row.zoom_user_id: row for row in session.exec(select(Connection))}
        verdict = session.get_one(ZoomApp, zoom_app.id).verdict
        restore = events.last_restore(session)
    assert {row.due_at for row in found.values()} == {restored_at}
    assert {row.token_state for row in found.values()} == {TokenState.UNKNOWN}
    assert {row.token_since for row in found.values()} == {restored_at}
    words = "when it was last checked, before the database was restored at"
    for token_state, how in (
        (TokenState.HEALTHY, "It worked"),
        (TokenState.RECONNECT_NEEDED, "It did not work"),
    ):
        row = found[str(token_state)]
        assert row.token_reason.startswith(f"{how} {words}")
        assert connections.standing(row, now=restored_at).who is Who.NOBODY
    assert verdict is Verdict.UNKNOWN
    assert restore is not None
    assert restore.about_at == NOON
    assert state(database, zoom_app, restored_at) is State.NOT_PROVEN

    store(database, a_check(zoom_app, restored_at + timedelta(minutes=2)))
    assert state(database, zoom_app, restored_at + timedelta(minutes=3)) is State.VALID
