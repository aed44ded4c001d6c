"""A doubted pair is tried at once; until it works, no user is checked or blamed."""

from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

import pytest
from sqlmodel import select

from dashboard.clients.recall.operations import Operation
from dashboard.models.connection import (
    AttemptOutcome,
    Connection,
    TokenCause,
    TokenState,
)
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.audit import THE_DASHBOARD
from dashboard.services.connections import actions, check
from dashboard.services.facts import connections as facts
from dashboard.services.facts.acting import Problem, Who
from dashboard.services.facts.zoom_apps import ASKED_EVERY, pair_problem
from dashboard.services.host import events
from dashboard.services.recall_apps import secrets
from dashboard.services.repair import repair
from dashboard.services.runtime import Runtime
from dashboard.services.sweep import pairs, sweep
from dashboard.services.zoom_apps import apps, credential_checks
from tests.fixtures.connect import OTHER, ConnectStage, a_connect_stage
from tests.makers import FakeClock

WORDINGS = ["zooms", "plain"]


@pytest.fixture
def two(runtime: Runtime, sandbox: RunningSandbox, clock: FakeClock) -> ConnectStage:
    """Two connected users whose tokens have ended."""
    stage = a_connect_stage(runtime, sandbox)
    stage.connect()
    bo = sandbox.zoom_world.add_user(email="bo@example.com", last_name="Berg")
    begun = stage.begin(OTHER)
    stage.finish(OTHER, **stage.allow(begun, bo))
    pairs.run_due(runtime)
    later(stage, clock, hours=2)
    return stage


def later(stage: ConnectStage, clock: FakeClock, *, hours: float) -> None:
    clock.advance(hours=hours)
    stage.sandbox.clock.advance(hours * 3600)


def rows(stage: ConnectStage) -> dict[str, Connection]:
    with stage.runtime.database.reading() as session:
        return {row.email: row for row in session.exec(select(Connection)).all()}


def app(stage: ConnectStage) -> ZoomApp:
    with stage.runtime.database.reading() as session:
        return session.get_one(ZoomApp, stage.app.id)


def checked(stage: ConnectStage, now: datetime) -> bool:
    """Whether users of the app may be checked in the background."""
    with stage.runtime.database.reading() as session:
        return stage.app.id in sweep.with_room(session, now=now)


def have_zoom_use(stage: ConnectStage, secret: str) -> None:
    stage.sandbox.zoom_world.change_app(stage.app.client_id, client_secret=secret)


def test_a_pair_that_works_is_tried_daily(two: ConnectStage, clock: FakeClock) -> None:
    found = app(two)

    assert found.verdict is Verdict.RIGHT
    assert found.pair_due_at == clock.now() - timedelta(hours=2) + ASKED_EVERY
    assert pairs.run_due(two.runtime) == 0
    later(two, clock, hours=22)
    assert pairs.run_due(two.runtime) == 1


def test_a_pair_is_tried_again_soon_when_zoom_does_not_answer(
    two: ConnectStage, clock: FakeClock
) -> None:
    later(two, clock, hours=22)
    two.sandbox.zoom_faults.set([Fault(kind=FaultKind.UNAVAILABLE)])
    pairs.run_due(two.runtime)
    unanswered = app(two)
    two.sandbox.zoom_faults.set([])
    later(two, clock, hours=1)
    pairs.run_due(two.runtime)

    assert unanswered.verdict is Verdict.RIGHT
    assert unanswered.pair_due_at == clock.now() - timedelta(minutes=30)
    assert app(two).checked_at == clock.now()


def test_an_app_that_zoom_switched_off_is_green_for_none_of_its_users(
    two: ConnectStage, clock: FakeClock
) -> None:
    ana, bo = rows(two)["ana@example.com"], rows(two)["bo@example.com"]
    check.run(two.runtime, bo.id)
    two.sandbox.zoom_world.switch(app_activation="disabled")
    check.run(two.runtime, ana.id)

    pairs.run_due(two.runtime)

    with two.runtime.database.reading() as session:
        read = facts.Reader(session, now=clock.now())
        stands = [read(session.get_one(Connection, each.id)) for each in (ana, bo)]
    assert rows(two)["bo@example.com"].token_state is TokenState.HEALTHY
    assert [each.problem for each in stands] == [Problem.APP_DISABLED] * 2
    assert not any(each.is_good for each in stands)


@pytest.mark.parametrize("wording", WORDINGS)
def test_a_secret_regenerated_at_zoom_stops_the_checks_until_it_works_again(
    two: ConnectStage, clock: FakeClock, wording: str
) -> None:
    two.sandbox.recall_world.set_switches({"refusal_words": wording})
    secret = apps.client_secret(two.runtime.vault, two.app).get_secret_value()
    have_zoom_use(two, "regenerated")
    check.run(two.runtime, rows(two)["ana@example.com"].id)
    was_checked = checked(two, clock.now())
    pairs.run_due(two.runtime)
    wrong = app(two)
    later(two, clock, hours=20)
    sweep.check_due(two.runtime)
    states = {row.token_state for row in rows(two).values()}

    assert not was_checked
    assert wrong.verdict is Verdict.WRONG
    assert states <= {TokenState.UNKNOWN, TokenState.HEALTHY}
    assert all(one.status == "healthy" for one in two.credentials())
    since = wrong.verdict_since
    pairs.run_due(two.runtime)
    assert app(two).verdict_since == since

    have_zoom_use(two, secret)
    later(two, clock, hours=24)
    pairs.run_due(two.runtime)
    sweep.check_due(two.runtime)

    assert app(two).pair_doubted_at is None
    assert checked(two, clock.now())
    assert {row.token_state for row in rows(two).values()} == {TokenState.HEALTHY}


def test_recalls_own_wrong_copy_is_replaced_by_the_pair_that_zoom_accepts(
    two: ConnectStage, clock: FakeClock
) -> None:
    [there] = two.sandbox.recall_world.apps.values()
    secret, token = there.client_secret, there.webhook_secret
    there.client_secret, there.webhook_secret = "of another app", "another token"
    check.run(two.runtime, rows(two)["ana@example.com"].id)
    was_checked = checked(two, clock.now())

    pairs.run_due(two.runtime)
    sweep.check_due(two.runtime)

    assert not was_checked
    assert app(two).pair_doubted_at is None
    assert (there.client_secret, there.webhook_secret) == (secret, "another token")
    assert token != there.webhook_secret
    assert {row.token_state for row in rows(two).values()} == {TokenState.HEALTHY}


def test_a_copy_that_cannot_be_replaced_stays_doubted(
    two: ConnectStage, clock: FakeClock
) -> None:
    [there] = two.sandbox.recall_world.apps.values()
    there.client_secret = "of another app"
    path = "/api/v2/zoom-oauth-apps/"
    fault = Fault(kind=FaultKind.UNAVAILABLE, path=path)
    check.run(two.runtime, rows(two)["ana@example.com"].id)
    two.sandbox.recall_faults.set([fault])

    pairs.run_due(two.runtime)

    doubted = app(two)
    assert (doubted.verdict, checked(two, clock.now())) == (Verdict.RIGHT, False)
    assert pair_problem(doubted) is Problem.PAIR_DIFFERS


def test_users_who_fail_on_after_recall_was_given_the_pair_must_reconnect(
    two: ConnectStage,
) -> None:
    two.sandbox.recall_world.set_switches({"refusal_words": "plain"})
    users = two.sandbox.zoom_world.state.grants
    for user_id in {each.user_id for each in users if each.user_id}:
        two.sandbox.zoom_world.revoke_grant(two.app.client_id, user_id)
    for email in ("ana@example.com", "bo@example.com"):
        check.run(two.runtime, rows(two)[email].id)
    doubted = app(two).pair_doubted_at

    pairs.run_due(two.runtime)
    for email in ("ana@example.com", "bo@example.com"):
        check.run(two.runtime, rows(two)[email].id)

    states = {row.token_state for row in rows(two).values()}
    assert doubted is not None
    assert app(two).pair_doubted_at is None
    # The one the pair was tried with: Recall gives it up after a third refusal.
    assert states - {TokenState.UNHEALTHY_IN_RECALL} == {TokenState.RECONNECT_NEEDED}


def test_one_who_fails_alone_while_others_get_new_tokens_must_reconnect(
    two: ConnectStage, clock: FakeClock
) -> None:
    two.sandbox.recall_world.set_switches({"refusal_words": "plain"})
    two.sandbox.zoom_world.uninstall(two.app.client_id, two.ana.id)
    ana, bo = rows(two)["ana@example.com"], rows(two)["bo@example.com"]

    check.run(two.runtime, ana.id)
    first = rows(two)["ana@example.com"]
    due = rows(two)["bo@example.com"].due_at
    check.run(two.runtime, bo.id)
    check.run(two.runtime, ana.id)

    assert first.token_cause is TokenCause.NO_TOKEN
    assert due <= clock.now()
    assert rows(two)["ana@example.com"].token_state is TokenState.RECONNECT_NEEDED
    assert rows(two)["bo@example.com"].token_state is TokenState.HEALTHY
    assert app(two).pair_doubted_at is None


def state_and_since(row: Connection) -> tuple[TokenState, datetime | None]:
    return row.token_state, row.token_since


def test_one_who_must_reconnect_does_so_until_they_have(
    two: ConnectStage, clock: FakeClock
) -> None:
    two.sandbox.recall_world.set_switches({"refusal_words": "plain"})
    two.sandbox.zoom_world.uninstall(two.app.client_id, two.ana.id)
    ana, bo = rows(two)["ana@example.com"], rows(two)["bo@example.com"]
    for each in (ana, bo, ana):
        check.run(two.runtime, each.id)

    found = [rows(two)["ana@example.com"]]
    for each in (ana, bo, ana, ana, bo, ana):
        later(two, clock, hours=0.7)
        check.run(two.runtime, each.id)
        found.append(rows(two)["ana@example.com"])

    assert {row.token_cause for row in found} == {TokenCause.NOT_THE_APP}
    # After repeated errors Recall gives the credential up: another state, once.
    states = [state for (state, _), _ in groupby(found, key=state_and_since)]
    assert states == [TokenState.RECONNECT_NEEDED, TokenState.UNHEALTHY_IN_RECALL]
    assert app(two).pair_doubted_at is None


def whose_after(stage: ConnectStage, clock: FakeClock, *emails: str) -> set[Who]:
    """Check them one after the other; return who was to act at any time."""
    found: set[Who] = set()
    for email in emails:
        check.run(stage.runtime, rows(stage)[email].id)
        with stage.runtime.database.reading() as session:
            read = facts.Reader(session, now=clock.now())
            found |= {read(row).who for row in session.exec(select(Connection))}
    return found


@pytest.mark.parametrize("is_put_right", [False, True])
def test_no_user_acts_for_a_token_that_only_a_set_clock_makes_look_new(
    two: ConnectStage, clock: FakeClock, *, is_put_right: bool
) -> None:
    ana, bo = "ana@example.com", "bo@example.com"
    two.sandbox.recall_world.set_switches({"refusal_words": "plain"})
    check.run(two.runtime, rows(two)[bo].id)  # Recall has it for an hour
    [there] = two.sandbox.recall_world.apps.values()
    there.client_secret = "of another app"
    later(two, clock, hours=0.2)

    clock.advance(hours=-72)
    repair.put_right(two.runtime.database, now=clock.now())
    found = whose_after(two, clock, ana)
    if is_put_right:
        clock.advance(hours=72)
        with two.runtime.database.writing() as session:
            events.record_jump(session, seconds=72 * 3600, now=clock.now())
    found |= whose_after(two, clock, bo, ana)

    assert Who.USER not in found
    assert rows(two)[bo].token_state is TokenState.HEALTHY


def test_a_users_connect_that_recalls_wrong_copy_fails_doubts_the_pair(
    two: ConnectStage, clock: FakeClock
) -> None:
    [there] = two.sandbox.recall_world.apps.values()
    secret, there.client_secret = there.client_secret, "of another app"
    cy = two.sandbox.zoom_world.add_user(email="cy@example.com", last_name="Chan")
    attempt = two.outcome(**two.allow(two.begin(), cy))
    doubted_at, was_checked = app(two).pair_doubted_at, checked(two, clock.now())

    there.client_secret = secret
    later(two, clock, hours=1)
    two.connect(cy)

    assert attempt.outcome is AttemptOutcome.REFUSED_BY_RECALL
    assert doubted_at == clock.now() - timedelta(hours=1)
    assert not was_checked
    assert app(two).pair_doubted_at is None
    assert checked(two, clock.now())


def test_a_code_that_is_refused_doubts_no_pair(two: ConnectStage) -> None:
    query = two.allow(two.begin())
    two.code(query["code"]).used = True

    attempt = two.outcome(**query)

    assert attempt.outcome is AttemptOutcome.REFUSED_BY_RECALL
    assert app(two).pair_doubted_at is None


def test_what_recall_called_unhealthy_meanwhile_is_tried_again_when_the_pair_works(
    two: ConnectStage, clock: FakeClock
) -> None:
    secret = apps.client_secret(two.runtime.vault, two.app).get_secret_value()
    have_zoom_use(two, "regenerated")
    ana = rows(two)["ana@example.com"]
    for one in two.credentials():
        for _ in range(3):
            two.sandbox.recall_world.record_failure(one, "invalid_client")
    check.run(two.runtime, ana.id)
    with two.runtime.database.writing() as session:
        row = session.get_one(Connection, ana.id)
        row.note_state(
            TokenState.UNHEALTHY_IN_RECALL, "Unhealthy.", evidence="", at=clock.now()
        )
        row.recall_tried_at = clock.now()  # tried in vain, with the wrong secret
        credential_checks.doubt(session, two.app.id, now=clock.now())

    have_zoom_use(two, secret)
    later(two, clock, hours=1)
    for _ in range(3):
        pairs.run_due(two.runtime)
        sweep.check_due(two.runtime)

    assert app(two).pair_doubted_at is None
    assert {row.token_state for row in rows(two).values()} == {TokenState.HEALTHY}
    assert {one.status for one in two.credentials()} == {"healthy"}


def give_up(stage: ConnectStage) -> None:
    """Have Recall call every credential unhealthy, and say no word of why."""
    stage.sandbox.recall_world.set_switches({"refusal_words": "plain"})
    for one in stage.credentials():
        for _ in range(3):
            stage.sandbox.recall_world.record_failure(one, "No token.")


def whose(stage: ConnectStage, clock: FakeClock) -> set[Who]:
    """Work for a while as the worker does; return who was to act at any time."""
    found: set[Who] = set()
    for _ in range(4):
        later(stage, clock, hours=0.6)
        for work in (sweep.check_due, pairs.run_due, sweep.check_due):
            work(stage.runtime)
            with stage.runtime.database.reading() as session:
                read = facts.Reader(session, now=clock.now())
                found |= {read(row).who for row in session.exec(select(Connection))}
    return found


@pytest.mark.parametrize("is_answering", [True, False])
def test_no_user_acts_on_what_recall_gave_up_while_zoom_does_not_accept_the_pair(
    two: ConnectStage, clock: FakeClock, *, is_answering: bool
) -> None:
    secret = apps.client_secret(two.runtime.vault, two.app).get_secret_value()
    have_zoom_use(two, "regenerated")
    give_up(two)
    if not is_answering:
        two.sandbox.zoom_faults.set([Fault(kind=FaultKind.UNAVAILABLE)])

    meanwhile = whose(two, clock)
    two.sandbox.zoom_faults.set([])
    afterwards = whose(two, clock)
    have_zoom_use(two, secret)
    at_last = whose(two, clock)

    assert Who.USER not in meanwhile | afterwards | at_last
    assert Who.ADMIN in afterwards
    assert {row.token_state for row in rows(two).values()} == {TokenState.HEALTHY}


def test_no_user_acts_on_what_recall_gave_up_with_its_own_wrong_copy(
    two: ConnectStage, clock: FakeClock
) -> None:
    [there] = two.sandbox.recall_world.apps.values()
    there.client_secret = "of another app"
    give_up(two)

    found = whose(two, clock)

    assert Who.USER not in found
    assert {row.token_state for row in rows(two).values()} == {TokenState.HEALTHY}


def test_no_user_acts_on_what_recall_gave_up_while_zoom_gave_no_answer(
    two: ConnectStage, clock: FakeClock
) -> None:
    zoom = two.sandbox.zoom_faults
    zoom.set([Fault(kind=FaultKind.UNAVAILABLE)])
    give_up(two)
    found = whose(two, clock)
    secrets.update_in_recall(two.runtime, two.app.id, actor=THE_DASHBOARD)

    found |= whose(two, clock)
    zoom.set([])
    found |= whose(two, clock)

    assert Who.USER not in found
    assert {row.token_state for row in rows(two).values()} == {TokenState.HEALTHY}


def test_a_try_in_an_outage_counts_no_more_when_that_is_over(
    two: ConnectStage, clock: FakeClock
) -> None:
    sweep.check_due(two.runtime)
    give_up(two)
    two.sandbox.zoom_faults.set([Fault(kind=FaultKind.UNAVAILABLE)])
    ana = rows(two)["ana@example.com"]
    later(two, clock, hours=2)
    check.run(two.runtime, ana.id)
    actions.try_unhealthy(two.runtime, ana.id)
    secrets.update_in_recall(two.runtime, two.app.id, actor=THE_DASHBOARD)
    two.sandbox.zoom_faults.set([])
    later(two, clock, hours=0.2)

    check.run(two.runtime, ana.id)

    found = rows(two)["ana@example.com"]
    assert found.token_state is TokenState.UNHEALTHY_IN_RECALL
    assert found.token_cause is TokenCause.NONE


@pytest.mark.parametrize("is_alone", [True, False])
def test_a_user_whom_recall_gave_up_acts_once_the_app_is_known_to_be_right(
    two: ConnectStage, clock: FakeClock, *, is_alone: bool
) -> None:
    two.sandbox.zoom_world.revoke_grant(two.app.client_id, two.ana.id)
    if is_alone:
        with two.runtime.database.writing() as session:
            session.delete(session.get_one(Connection, rows(two)["bo@example.com"].id))
    sweep.check_due(two.runtime)  # the other one's token is new, and this one has none
    give_up(two)

    whose(two, clock)
    since = rows(two)["ana@example.com"].token_since
    two.sandbox.zoom_faults.set([Fault(kind=FaultKind.UNAVAILABLE)])
    later(two, clock, hours=30)
    sweep.check_due(two.runtime)
    ana = rows(two)["ana@example.com"]

    assert (ana.token_state, ana.token_cause) == (
        TokenState.UNHEALTHY_IN_RECALL,
        TokenCause.NOT_THE_APP,
    )
    assert ana.token_since == since
    assert app(two).pair_doubted_at is None


def test_the_sweep_has_recall_try_an_unhealthy_credential_once(
    two: ConnectStage, clock: FakeClock
) -> None:
    two.sandbox.zoom_world.uninstall(two.app.client_id, two.ana.id)
    ana = rows(two)["ana@example.com"]
    one = next(
        each
        for each in two.credentials()
        if UUID(str(each.id)) == ana.recall_credential_id
    )
    tried = []
    for _ in range(3):
        two.sandbox.recall_world.record_failure(one, "Simulated failure.")
    for _ in range(3):
        later(two, clock, hours=8)
        with two.runtime.database.writing() as session:
            session.get_one(Connection, ana.id).due_at = clock.now()
        sweep.check_due(two.runtime)
        counts = two.sandbox.recall_world.rate_limiter.counts()
        tried.append(
            sum(
                each["asked"]
                for each in counts
                if each["operation"] == Operation.CREDENTIALS_VALIDATE
            )
        )

    assert tried == [1, 1, 1]
    assert rows(two)["ana@example.com"].token_state in {
        TokenState.UNHEALTHY_IN_RECALL,
        TokenState.RECONNECT_NEEDED,
    }
