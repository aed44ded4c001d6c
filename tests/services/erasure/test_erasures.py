"""When an erasure begins, waits, is called off, and what it leaves alone."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlmodel import col, select

from dashboard.errors import ConflictError
from dashboard.models.audit import AuditEntry
from dashboard.models.connection import Connection
from dashboard.models.erasure import Erasure, ErasureReason
from dashboard.models.ids import new_id
from dashboard.models.invitation import Invitation
from dashboard.models.staff import Role
from dashboard.models.watch import Milestone
from dashboard.models.webhook import Outcome, Webhook, WebhookBody
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services import audit
from dashboard.services.audit import verifying
from dashboard.services.connections import actions, check
from dashboard.services.erasure import steps
from dashboard.services.explain import explain
from dashboard.services.resends import resends
from dashboard.services.runtime import Runtime
from dashboard.services.setup import checklist, first_seen
from dashboard.services.staff import accounts
from dashboard.services.status.attention import about_erasures
from dashboard.services.sweep import events, sweep
from tests.conftest import PASSWORD
from tests.fixtures.audit import AUDIT_LOG
from tests.fixtures.connect import OTHER, ConnectStage, a_connect_stage
from tests.fixtures.erasure import Everything, deauthorized, leave, settle, wait
from tests.makers import FakeClock, a_webhook

DOWN = Fault(
    kind=FaultKind.DOWN, path="/api/v2/zoom-oauth-credentials/", method="DELETE"
)


@pytest.fixture
def ana(runtime: Runtime, sandbox: RunningSandbox, clock: FakeClock) -> Everything:
    stage = a_connect_stage(runtime, sandbox)
    return Everything(stage=stage, clock=clock, row=stage.connect(), user=stage.ana)


def all_of(stage: ConnectStage) -> list[Erasure]:
    with stage.runtime.database.reading() as session:
        return list(session.exec(select(Erasure)).all())


def only(stage: ConnectStage) -> Erasure:
    [row] = all_of(stage)
    return row


def is_connected(ana: Everything) -> bool:
    with ana.stage.runtime.database.reading() as session:
        return session.get(Connection, ana.row.id) is not None


def hook(ana: Everything, webhook_id: int) -> Webhook:
    with ana.stage.runtime.database.reading() as session:
        return session.get_one(Webhook, webhook_id)


def add(ana: Everything, **over: object) -> int:
    made = a_webhook(ana.stage.app, **{"zoom_user_id": ana.user.id, **over})
    with ana.stage.runtime.database.writing() as session:
        session.add(made)
    return made.id


def needs_attention(ana: Everything) -> list[str]:
    runtime = ana.stage.runtime
    with runtime.database.reading() as session:
        found = about_erasures(session, now=runtime.clock.now())
        return [item.tone for item in found]


def test_zooms_word_alone_begins_none(ana: Everything) -> None:
    ana.clock.advance(minutes=1)
    deauthorized(ana)

    events.read_some(ana.stage.runtime)
    sweep.check_due(ana.stage.runtime)

    assert all_of(ana.stage) == []


def test_a_look_that_bears_it_out_begins_one_with_a_deadline(ana: Everything) -> None:
    leave(ana)
    check.now(ana.stage.runtime, ana.row.id)  # and no second one

    erasure = only(ana.stage)
    assert erasure.removed_at == ana.clock.now()
    assert erasure.deadline_at == erasure.removed_at + timedelta(days=10)


def test_who_reconnects_first_is_not_erased(ana: Everything) -> None:
    leave(ana)
    ana.clock.advance(minutes=1)
    ana.stage.connect()

    wait(ana, minutes=1)

    with ana.stage.runtime.database.reading() as session:
        acts = [one.act for one in session.exec(AUDIT_LOG)]
    assert all_of(ana.stage) == []
    assert is_connected(ana)
    assert len(ana.stage.credentials()) == 1
    assert acts[-1] == "erasure.called_off"


def test_who_reconnects_and_is_disconnected_then_leaves_nothing_either(
    ana: Everything,
) -> None:
    leave(ana)
    ana.clock.advance(minutes=1)
    row, runtime = ana.stage.connect(), ana.stage.runtime
    actions.disconnect(runtime, row.id, actor=audit.COMMAND_LINE)

    with runtime.database.reading() as session:
        acts = [one.act for one in session.exec(AUDIT_LOG)]
        users = session.exec(select(Webhook.zoom_user_id)).all()
    assert users
    assert not any(users)
    assert only(ana.stage).removed_at == ana.clock.now()
    assert acts.count("erasure.called_off") == 1


def test_what_recall_does_not_delete_is_tried_again_and_waited_for(
    ana: Everything, sandbox: RunningSandbox
) -> None:
    leave(ana)
    sandbox.recall_faults.set([DOWN])
    wait(ana, minutes=1)
    waiting, trouble = is_connected(ana), only(ana.stage).trouble

    sandbox.recall_faults.set([])
    first_tone = needs_attention(ana)
    wait(ana, hours=1)

    assert waiting
    assert "Recall" in trouble
    assert first_tone == ["waiting"]
    assert (only(ana.stage).trouble, needs_attention(ana)) == ("", [])
    assert not is_connected(ana)
    assert ana.stage.credentials() == []


def test_recall_is_waited_for_half_the_time_at_most(
    ana: Everything, sandbox: RunningSandbox
) -> None:
    leave(ana)
    sandbox.recall_faults.set([DOWN])
    steps.run_due(ana.stage.runtime)
    ana.clock.set(only(ana.stage).removed_at + timedelta(days=5))

    steps.run_due(ana.stage.runtime)

    erasure = only(ana.stage)
    assert not is_connected(ana)
    assert erasure.here_done_at == ana.clock.now()
    assert (erasure.recall_done_at, erasure.ended_at) == (None, None)
    assert needs_attention(ana) == ["trouble"]


def test_what_is_owed_to_recall_goes_when_it_is_delivered(ana: Everything) -> None:
    owed = add(ana, outcome=Outcome.WAITING)
    leave(ana)
    wait(ana, minutes=1)
    before = hook(ana, owed)
    settle(ana.stage, owed)

    wait(ana, minutes=1)

    after = hook(ana, owed)
    assert (before.erased_at, before.zoom_user_id) == (None, ana.user.id)
    assert (after.erased_at, after.zoom_user_id) == (ana.clock.now(), None)
    assert only(ana.stage).here_done_at == ana.clock.now()


def test_what_is_owed_still_a_day_before_the_deadline_is_given_up(
    ana: Everything,
) -> None:
    owed = add(ana, outcome=Outcome.WAITING)
    leave(ana)
    wait(ana, minutes=1)
    ana.clock.set(only(ana.stage).deadline_at - timedelta(days=1))

    steps.run_due(ana.stage.runtime)

    gone = hook(ana, owed)
    assert (gone.outcome, gone.erased_at) == (Outcome.DEAD, ana.clock.now())
    assert "Given up" in gone.outcome_reason


def test_another_users_things_stay(ana: Everything) -> None:
    stage = ana.stage
    bo = stage.sandbox.zoom_world.add_user(email="bo@example.com", last_name="Berg")
    begun = stage.begin(OTHER)
    stage.finish(OTHER, **stage.allow(begun, bo))
    theirs = add(ana, zoom_user_id=bo.id, outcome=Outcome.DELIVERED)
    nameless = add(ana, zoom_user_id=None, meeting_id=97, outcome=Outcome.DELIVERED)
    now = ana.clock.now()
    with stage.runtime.database.writing() as session:
        session.add(
            Invitation(
                zoom_app_id=stage.app.id,
                token_hash="0" * 64,
                email=bo.email,
                created_at=now,
                expires_at=now,
            )
        )

    leave(ana)
    wait(ana, hours=7)

    with stage.runtime.database.reading() as session:
        left = session.exec(select(Connection.email)).all()
        invited = session.exec(select(Invitation.email)).all()
    attempt = stage.attempt(begun.attempt_id)
    assert left == invited == [bo.email]
    assert attempt.connection_id is not None
    assert attempt.browser_hash
    assert hook(ana, theirs).zoom_user_id == bo.id
    assert hook(ana, nameless).erased_at is None


def test_what_staff_did_stays_even_of_one_who_was_connected(ana: Everything) -> None:
    runtime, now = ana.stage.runtime, ana.clock.now()
    subject = f"{ana.user.email} as admin; {ana.user.id}"
    accounts.add(
        runtime.database,
        email=ana.user.email,
        role=Role.ADMIN,
        password=PASSWORD,
        actor=audit.COMMAND_LINE,
        now=now,
    )
    with runtime.database.writing() as session:
        who = audit.Actor(name="x")
        said = {"user": ("none", ana.user.id)}
        audit.record(
            session, who, "staff.added", subject=subject, now=now, changes=said
        )

    leave(ana)
    wait(ana, minutes=1)

    query = select(AuditEntry.subject).where(col(AuditEntry.act) == "staff.added")
    with runtime.database.reading() as session:
        assert set(session.exec(query)) == {
            f"{ana.user.email} as admin",
            f"{ana.user.email} as admin; (erased)",
        }
        assert ana.user.id not in "".join(session.exec(select(AuditEntry.changes)))
    report = verifying.verify(runtime.database, runtime.vault)
    assert (report.problem, report.redacted) == ("", 1)


def test_an_erased_webhook_keeps_its_row_and_is_not_sent_again(ana: Everything) -> None:
    taken = add(ana, outcome=Outcome.DELIVERED)
    leave(ana)
    wait(ana, minutes=1)

    runtime, now = ana.stage.runtime, ana.clock.now()
    with runtime.database.writing() as session:
        with pytest.raises(ConflictError, match="Deleted on 2026-11-23"):
            resends.add_one(
                session, taken, resend_id=new_id(now), asked_by="x", now=now
            )
        assert session.get(WebhookBody, taken) is None
    kept = hook(ana, taken)
    assert (kept.event, kept.outcome) == ("meeting.created", Outcome.DELIVERED)


def test_one_that_another_worker_has_claimed_is_left_to_it(ana: Everything) -> None:
    leave(ana)
    with ana.stage.runtime.database.writing() as session:
        row = session.get_one(Erasure, only(ana.stage).id)
        row.lease_until = ana.clock.now() + timedelta(minutes=5)
        session.add(row)

    assert steps.run_due(ana.stage.runtime) == 0
    assert not steps.go_on(ana.stage.runtime, only(ana.stage).id)
    assert is_connected(ana)


def test_a_milestone_stays_and_tells_no_more_whose_it_was(ana: Everything) -> None:
    runtime = ana.stage.runtime
    with runtime.database.writing() as session:
        milestone = first_seen.meeting_mapped(
            ana.stage.app.id, at=ana.clock.now(), connection_id=ana.row.id
        )
        checklist.store(session, [milestone])

    leave(ana)
    wait(ana, minutes=1)

    with runtime.database.reading() as session:
        kept = session.exec(select(Milestone)).all()
    assert {one.connection_id for one in kept} == {None}


def explained(ana: Everything) -> tuple[str, str]:
    runtime = ana.stage.runtime
    with runtime.database.reading() as session:
        found = explain.explain(
            session, runtime.vault, ana.user.id, now=runtime.clock.now()
        )
    return found.verdict.sentence, " ".join(line.words for line in found.lines)


def test_a_removal_that_zoom_reported_is_kept_as_the_reason(ana: Everything) -> None:
    leave(ana)
    wait(ana, minutes=1)

    row = only(ana.stage)
    sentence, lines = explained(ana)
    assert (row.reason, row.asked_by) == (ErasureReason.REMOVED_IN_ZOOM, "")
    assert "removed the app in Zoom" in sentence
    assert "Zoom reported that the user removed the app." in lines


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (ErasureReason.STAFF_DISCONNECTED, "admin@example.com disconnected this user"),
        (ErasureReason.USER_DISCONNECTED, "The user disconnected"),
    ],
)
def test_who_disconnected_is_kept_and_nothing_is_said_of_zoom(
    ana: Everything, reason: ErasureReason, said: str
) -> None:
    is_staff = reason is ErasureReason.STAFF_DISCONNECTED
    name = "admin@example.com" if is_staff else "user"
    who = audit.Actor(name=name)

    actions.disconnect(ana.stage.runtime, ana.row.id, actor=who, reason=reason)

    row = only(ana.stage)
    sentence, lines = explained(ana)
    assert (row.reason, row.asked_by) == (reason, name if is_staff else "")
    assert sentence.startswith(said)
    assert "Zoom reported" not in lines
    assert "removed the app" not in f"{sentence} {lines}"


def test_one_from_before_the_reason_was_kept_says_so(ana: Everything) -> None:
    actions.disconnect(ana.stage.runtime, ana.row.id, actor=audit.COMMAND_LINE)
    with ana.stage.runtime.database.writing() as session:
        session.execute(text("UPDATE erasure SET reason = 'unknown', asked_by = ''"))

    sentence, lines = explained(ana)

    assert "the reason was not recorded" in sentence
    assert "removed the app" not in f"{sentence} {lines}"
