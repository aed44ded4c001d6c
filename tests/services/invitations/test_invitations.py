"""Links made for one person: who may use them, and how far each has come."""

from datetime import timedelta
from uuid import UUID

import pytest

from dashboard.errors import ConflictError, NotFoundError
from dashboard.models.connection import AttemptOutcome
from dashboard.models.invitation import InvitationState
from dashboard.services import audit
from dashboard.services.connect import flow
from dashboard.services.invitations import invitations
from tests.fixtures.connect import OTHER, ConnectStage, a_connect_stage, query_of
from tests.fixtures.invitations import bo_of, go, invite, now_of, reconnect_link
from tests.makers import FakeClock

CREDENTIALS = "/api/v2/zoom-oauth-credentials/"


def test_the_secret_is_stored_as_a_hash_alone(lite: ConnectStage) -> None:
    made = invite(lite, "ana@example.com")

    with lite.runtime.database.reading() as session:
        dump = "\n".join(session.connection().connection.iterdump())
        found = invitations.find(session, lite.app, made.secret)
    assert len(made.secret) == 43
    assert made.secret not in dump
    assert found.id == made.invitation.id


def test_a_link_is_opened_often_and_spent_by_a_connection_once(
    stage: ConnectStage,
) -> None:
    made = invite(stage, "ANA@example.com")
    for _ in range(2):
        with stage.runtime.database.writing() as session:
            invitations.opened(
                session, made.invitation.id, now=made.invitation.created_at
            )
    after_opening = now_of(stage, made).state

    attempt = go(stage, made, stage.ana)

    spent = now_of(stage, made)
    assert after_opening is InvitationState.OPENED
    assert attempt.outcome is AttemptOutcome.CONNECTED
    assert (spent.state, spent.connection_id) == (
        InvitationState.DONE,
        attempt.connection_id,
    )
    with pytest.raises(ConflictError, match="no longer works"):
        go(stage, made, stage.ana)


def test_a_reconnect_link_renews_its_user_and_refuses_another(
    stage: ConnectStage, clock: FakeClock
) -> None:
    connection = stage.connect()
    made = reconnect_link(stage, connection)
    clock.advance(minutes=1)

    wrong = go(stage, made, bo_of(stage))
    right = go(stage, made, stage.ana)

    assert wrong.outcome is AttemptOutcome.WRONG_ACCOUNT
    assert wrong.detail == "This link is for a***@example.com."
    assert right.connection_id == connection.id
    assert [one.user_id for one in stage.credentials()] == [stage.ana.id]


def test_a_reconnect_link_holds_though_the_e_mail_changed(lite: ConnectStage) -> None:
    connection = lite.connect()
    made = reconnect_link(lite, connection)
    lite.sandbox.zoom_world.change_user(lite.ana.id, email="ana.new@example.com")

    attempt = go(lite, made, lite.ana)

    assert attempt.outcome is AttemptOutcome.CONNECTED


def test_a_newer_reconnect_link_takes_the_place_of_the_older(
    lite: ConnectStage,
) -> None:
    connection = lite.connect()

    older, newer = (reconnect_link(lite, connection) for _ in range(2))

    assert now_of(lite, older).state is InvitationState.REVOKED
    assert now_of(lite, newer).state is InvitationState.MADE


def test_of_two_people_with_one_unbound_link_the_first_has_it(
    stage: ConnectStage,
) -> None:
    made = invite(stage)
    first, second = (
        flow.begin(
            stage.runtime,
            stage.app.slug,
            browser=browser,
            invitation_id=made.invitation.id,
        )
        for browser in ("a" * 43, OTHER)
    )

    stage.finish(browser="a" * 43, **stage.allow(first, stage.ana))
    stage.finish(browser=OTHER, **stage.allow(second, bo_of(stage)))

    assert stage.attempt(first.attempt_id).outcome is AttemptOutcome.CONNECTED
    assert stage.attempt(second.attempt_id).outcome is AttemptOutcome.WRONG_ACCOUNT
    assert [one.user_id for one in stage.credentials()] == [stage.ana.id]


def test_who_declines_may_use_the_link_again(stage: ConnectStage) -> None:
    made = invite(stage)
    begun = flow.begin(
        stage.runtime,
        stage.app.slug,
        browser=OTHER,
        invitation_id=made.invitation.id,
    )
    state = query_of(begun.authorize_url)["state"]
    stage.finish(browser=OTHER, state=state, error="access_denied")
    declined = now_of(stage, made).state

    attempt = go(stage, made, stage.ana)

    assert declined is InvitationState.DECLINED
    assert attempt.outcome is AttemptOutcome.CONNECTED


def test_a_link_revoked_on_the_way_takes_no_code(stage: ConnectStage) -> None:
    made = invite(stage)
    begun = flow.begin(
        stage.runtime,
        stage.app.slug,
        browser=OTHER,
        invitation_id=made.invitation.id,
    )
    query = stage.allow(begun)
    revoke(stage, made.invitation.id)

    stage.finish(browser=OTHER, **query)

    attempt = stage.attempt(begun.attempt_id)
    assert (attempt.outcome, attempt.detail) == (
        AttemptOutcome.EXPIRED,
        "The link it began from is revoked.",
    )
    assert not stage.code(query["code"]).used


def revoke(stage: ConnectStage, invitation_id: UUID) -> None:
    with stage.runtime.database.writing() as session:
        invitations.revoke(
            session,
            invitation_id,
            actor=audit.COMMAND_LINE,
            now=stage.runtime.clock.now(),
        )


def test_a_revoked_link_cannot_be_revoked_again(stage: ConnectStage) -> None:
    made = invite(stage)
    revoke(stage, made.invitation.id)

    with pytest.raises(ConflictError, match="already revoked"):
        revoke(stage, made.invitation.id)


def test_a_link_lasts_fourteen_days_and_is_noted_as_expired(
    stage: ConnectStage, clock: FakeClock
) -> None:
    made = invite(stage)
    clock.advance(days=14)
    with stage.runtime.database.reading() as session:
        is_overdue = invitations.any_overdue(session, now=clock.now())
    with stage.runtime.database.writing() as session:
        count = invitations.expire(session, now=clock.now())

    assert made.invitation.expires_at == clock.now()
    assert (is_overdue, count) == (True, 1)
    assert now_of(stage, made).state is InvitationState.EXPIRED
    with pytest.raises(ConflictError):
        go(stage, made, stage.ana)


def test_a_form_sent_twice_makes_its_links_once(stage: ConnectStage) -> None:
    batch = invite(stage).invitation.id  # any id does

    def send() -> None:
        with stage.runtime.database.writing() as session:
            invitations.make(
                session,
                stage.app,
                [invitations.Wanted(user_ref="u-2")],
                batch=batch,
                actor=audit.COMMAND_LINE,
                now=stage.runtime.clock.now(),
            )

    send()
    with pytest.raises(ConflictError, match="already sent"):
        send()


def test_a_secret_is_of_its_own_page(lite: ConnectStage) -> None:
    made = invite(lite)
    other = a_connect_stage(lite.runtime, lite.sandbox)

    with (
        lite.runtime.database.reading() as session,
        pytest.raises(NotFoundError),
    ):
        invitations.find(session, other.app, made.secret)


def test_masks_tell_a_person_and_nobody_else(lite: ConnectStage) -> None:
    made = invite(lite, "ana@example.com")

    with lite.runtime.database.reading() as session:
        words = invitations.expected(session, made.invitation)

    assert words == "a***@example.com"
    assert made.invitation.expires_at - made.invitation.created_at == timedelta(days=14)


def test_a_used_link_whose_user_nobody_knows_is_nobodys(lite: ConnectStage) -> None:
    made = invite(lite)
    with lite.runtime.database.writing() as session:
        made.invitation.state = InvitationState.DONE
        session.add(made.invitation)
        refusal = invitations.refusal(
            session, made.invitation.id, zoom_user_id="u", email=""
        )

    assert refusal == "This link was already used; it works once."
