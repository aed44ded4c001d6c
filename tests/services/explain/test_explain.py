"""Explain's stories: what support pastes, from what is in the database."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from dashboard.db import Database
from dashboard.models.connection import (
    AccountMember,
    AttemptOutcome,
    ConnectAttempt,
    ConnectionEvent,
    TokenCause,
    TokenState,
)
from dashboard.models.erasure import Erasure, ErasureReason
from dashboard.models.ids import new_id
from dashboard.models.invitation import InvitationState
from dashboard.models.webhook import Mark, Outcome
from dashboard.models.zoom_app import Kind
from dashboard.services.explain import verdicts
from dashboard.vault import Vault
from tests.fixtures.explain import ANA, MEETING, OLD_PMI, OTHER, PMI, Desk
from tests.makers import NOON, a_connection

ACCOUNT = "AbCdEfGhIjKlMnOpQrStUv"


@pytest.fixture
def desk(database: Database, vault: Vault) -> Desk:
    return Desk(database, vault)


def dead_grant(desk: Desk) -> str:
    desk.mapped(desk.ana(token_state=TokenState.RECONNECT_NEEDED))
    return "dead"


def ready(desk: Desk) -> str:
    desk.mapped(desk.ana())
    return "ready"


def host_setting(desk: Desk) -> str:
    desk.mapped(desk.ana(recording_block="Local recording is off."))
    return "host-setting"


def dead_webhook(desk: Desk) -> str:
    desk.ana()
    desk.hook(outcome=Outcome.DEAD)
    return "meeting-dead"


def newest_mapping(desk: Desk) -> str:
    # Of two apps the one that Recall mapped last.
    old = desk.ana(desk.other_app(), token_state=TokenState.RECONNECT_NEEDED)
    desk.mapped(old, synced_at=NOON - timedelta(days=1))
    desk.mapped(desk.ana())
    return "ready"


def host_by_event(desk: Desk) -> str:
    desk.ana(connected_at=NOON - timedelta(days=9))
    desk.hook(received_at=NOON - timedelta(hours=1), delivered_at=NOON)
    return "not-looked-since"


def nobody_connected(desk: Desk) -> str:
    desk.hook(delivered_at=NOON)
    return "host-not-connected"


def account_of_the_host(desk: Desk) -> str:
    whole = desk.other_app(kind=Kind.ACCOUNT_LEVEL)
    row = a_connection(whole, zoom_user_id=None, token_state=TokenState.MISSING_SCOPES)
    desk.add(row)
    desk.hook(zoom_user_id=OTHER)
    return "missing-scopes"


def member_by_an_event_without_account(desk: Desk) -> str:
    whole = desk.other_app(kind=Kind.ACCOUNT_LEVEL)
    row = a_connection(whole, zoom_user_id=None, token_state=TokenState.MISSING_SCOPES)
    desk.add(row)
    desk.add(AccountMember(connection_id=row.id, zoom_user_id=OTHER, seen_at=NOON))
    desk.hook(zoom_user_id=OTHER, zoom_account_id=None)
    return "missing-scopes"


def removed_and_gone(desk: Desk) -> str:
    desk.hook()
    desk.hook(event="app_deauthorized", meeting_id=None)
    return "removed"


@pytest.mark.parametrize(
    "story",
    [
        dead_grant,
        ready,
        host_setting,
        dead_webhook,
        newest_mapping,
        host_by_event,
        nobody_connected,
        account_of_the_host,
        member_by_an_event_without_account,
        removed_and_gone,
    ],
    ids=lambda story: story.__name__,
)
def test_a_meeting_is_explained(desk: Desk, story: Callable[[Desk], str]) -> None:
    expected = story(desk)

    assert desk.verdict(f"https://example.zoom.us/j/{MEETING}?pwd=hunter2") == expected


def test_a_meeting_of_another_account_of_the_same_person_is_found(desk: Desk) -> None:
    desk.ana()
    desk.hook(zoom_user_id=OTHER)

    found = desk.explain(f"ana@example.com asks of {MEETING}")

    assert found.verdict.id == "other-account"
    assert any(ANA in line.words for line in found.lines)
    assert desk.verdict(MEETING) == "host-not-connected"


def test_a_meeting_that_nothing_tells_of_is_asked_about_by_its_host(desk: Desk) -> None:
    desk.ana()

    assert desk.verdict(MEETING) == "unknown-meeting"
    assert desk.verdict(f"{MEETING} ana@example.com") == "never-heard-of"


def test_a_pmi_is_its_users_now_before_and_of_one_user_only(desk: Desk) -> None:
    row = desk.ana(pmi=PMI, previous_pmi=OLD_PMI, pmi_changed_at=NOON)

    assert desk.verdict(PMI) == "pmi-not-mapped"
    assert desk.verdict(OLD_PMI) == "former-pmi"
    desk.hook(meeting_id=OLD_PMI)
    desk.mapped(row, meeting_id=OLD_PMI)
    assert desk.verdict(OLD_PMI) == "former-pmi"
    desk.add(a_connection(desk.app, zoom_user_id=OTHER, pmi=OLD_PMI))
    assert desk.verdict(OLD_PMI) == "ready"  # it is somebody's now

    desk.ana(desk.other_app(), pmi=PMI)  # the same user in another app
    assert desk.verdict(PMI) == "pmi-not-mapped"
    desk.add(a_connection(desk.app, zoom_user_id="zUsEr3", pmi=PMI))
    assert desk.verdict(PMI) == "pmi-twice"


def test_a_user_of_a_connected_account_is_known_by_all_that_names_them(
    desk: Desk,
) -> None:
    whole = desk.other_app(kind=Kind.ACCOUNT_LEVEL)
    row = a_connection(
        whole,
        zoom_user_id=None,
        display_name="",
        email="",
        mappings_seen_at=NOON,
    )
    member = AccountMember(
        connection_id=row.id,
        zoom_user_id=OTHER,
        display_name="Ben Okafor",
        email="ben@example.com",
        pmi=PMI,
        previous_pmi=OLD_PMI,
        seen_at=NOON,
    )
    desk.add(row, member)

    for text in ("ben@example.com", OTHER):
        assert desk.explain(text).verdict.sentence.startswith("Ben Okafor is connected")
    assert desk.verdict(ACCOUNT) == "healthy"
    assert desk.verdict(PMI) == "pmi-not-mapped"
    assert desk.verdict(OLD_PMI) == "former-pmi"
    desk.mapped(row, meeting_id=PMI)
    assert "as Ben Okafor's" in desk.explain(PMI).verdict.sentence
    desk.hook(zoom_user_id=OTHER, meeting_id=OLD_PMI)
    assert desk.verdict(OLD_PMI) == "former-pmi"


def test_a_person_is_found_by_each_of_their_ids(desk: Desk) -> None:
    row = desk.ana(email="ana@example.com")

    for text in ("Ana@Example.com", ANA, row.recall_credential_id, row.id):
        assert desk.verdict(text) == "healthy"
    assert desk.verdict(ACCOUNT) == "account-of-users"
    assert (desk.verdict(uuid4()), desk.verdict("bob@example.com")) == (
        "unknown",
        "email-unknown",
    )


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("o'connor@example.com", "o'connor@example.com"),
        ("Sinead O'Connor <o'connor@example.com>", "o'connor@example.com"),
        ("O'Connor@Example.com", "o'connor@example.com"),
        ("ana@b\u00fccher.example", "ana@b\u00fccher.example"),
        ("ana@b\u00fccher.example", "ana@xn--bcher-kva.example"),
    ],
)
def test_an_email_is_never_taken_for_a_part_of_it(
    desk: Desk, text: str, stored: str
) -> None:
    part = "connor@example.com" if "connor" in stored else "ana@b"
    desk.ana(email=part, display_name="Connor Right", zoom_user_id=OTHER)
    unknown = desk.explain(text)

    row = desk.ana(email=stored, display_name="Sinead O'Connor")
    found = desk.explain(text)

    assert (unknown.connection_id, unknown.verdict.id) == (None, "email-unknown")
    assert found.connection_id == row.id
    assert "Connor Right" not in found.verdict.sentence


def test_of_two_apps_the_one_in_use_counts_and_the_other_is_told(desk: Desk) -> None:
    retired = desk.other_app(retired_at=NOON)
    desk.ana(retired, connected_at=NOON + timedelta(hours=1))
    used = desk.ana()

    found = desk.explain("ana@example.com")

    assert found.connection_id == used.id
    assert sum("Ana Nowak connected" in line.words for line in found.lines) == 2


def test_an_invitation_is_found_by_e_mail_zoom_user_and_your_own_id(desk: Desk) -> None:
    made = desk.invited(
        InvitationState.OPENED, user_ref="user-17", zoom_user_id=OTHER, opened_at=NOON
    )

    for text in ("ana@example.com", "user-17", OTHER, made.id):
        assert desk.verdict(text) == "invitation-opened"
    desk.invited(
        InvitationState.DECLINED, created_at=NOON + timedelta(minutes=1), email="b@b.bb"
    )
    assert desk.verdict("b@b.bb") == "declined"


def test_a_try_from_a_reconnect_link_is_found_though_it_names_no_connection(
    desk: Desk,
) -> None:
    row = desk.ana(
        token_state=TokenState.RECONNECT_NEEDED, token_since=NOON - timedelta(hours=5)
    )
    before = desk.verdict("ana@example.com")
    link = desk.invited(InvitationState.OPENED, connection_id=row.id)
    desk.add(
        ConnectAttempt(
            zoom_app_id=desk.app_id,
            invitation_id=link.id,
            state_hash="0" * 64,
            browser_hash="0" * 64,
            outcome=AttemptOutcome.OPEN,
            created_at=NOON - timedelta(minutes=2),
            expires_at=NOON,
        )
    )

    found = desk.explain("ana@example.com").verdict

    assert (before, found.id) == ("dead", "reconnecting")
    assert "went to Zoom 2 minutes ago" in found.sentence


def test_an_attempt_that_began_from_the_invitation_says_more_than_it(
    desk: Desk,
) -> None:
    made = desk.invited(InvitationState.OPENED, opened_at=NOON)
    desk.add(
        ConnectAttempt(
            zoom_app_id=desk.app_id,
            invitation_id=made.id,
            state_hash="0" * 64,
            browser_hash="0" * 64,
            outcome=AttemptOutcome.ABANDONED,
            created_at=NOON,
            expires_at=NOON,
        )
    )

    alone = desk.verdict("ana@example.com")
    desk.add(
        ConnectAttempt(
            zoom_app_id=desk.app_id,
            state_hash="1" * 64,
            browser_hash="1" * 64,
            outcome=AttemptOutcome.DECLINED,
            created_at=NOON - timedelta(hours=2),
            expires_at=NOON,
        )
    )

    assert alone == "abandoned"
    assert desk.verdict("ana@example.com") == "others-came-back"


@pytest.mark.parametrize(("number", "written"), [(99, "(99)"), (101, "(100+)")])
def test_attempts_of_others_are_counted_up_to_a_hundred(
    desk: Desk, number: int, written: str
) -> None:
    made = desk.invited(InvitationState.OPENED, opened_at=NOON)
    others = [AttemptOutcome.DECLINED] * number
    desk.add(
        *(
            ConnectAttempt(
                invitation_id=None if place else made.id,
                outcome=outcome,
                zoom_app_id=desk.app_id,
                state_hash=f"{place:064d}",
                browser_hash=f"{place:064d}",
                created_at=NOON,
                expires_at=NOON,
            )
            for place, outcome in enumerate([AttemptOutcome.ABANDONED, *others])
        )
    )

    assert written in desk.explain("ana@example.com").verdict.sentence


def test_an_erasure_under_way_is_found_though_it_is_sealed(desk: Desk) -> None:
    row = Erasure(
        id=UUID(int=7),
        zoom_app_id=desk.app_id,
        reason=ErasureReason.REMOVED_IN_ZOOM,
        removed_at=NOON - timedelta(hours=1),
        deadline_at=NOON + timedelta(days=9),
        due_at=NOON,
        trouble="Recall is down.",
    )
    place: dict[str, Any] = {"table": "erasure", "row": row.id}
    row.zoom_user_id = desk.vault.seal(OTHER.encode(), column="zoom_user_id", **place)
    row.email = desk.vault.seal(b"Ben@example.com", column="email", **place)
    desk.add(row)

    for text in ("ben@example.com", OTHER):
        found = desk.explain(text)
        assert found.verdict.id == "removed"
        assert any("Recall is down." in line.words for line in found.lines)
    row.here_done_at = NOON
    desk.add(row)
    assert desk.verdict("ben@example.com") == "erased"


def test_a_webhook_and_an_app_are_explained_by_their_ids(desk: Desk) -> None:
    dead = desk.hook(outcome=Outcome.DEAD)
    fine = desk.hook(
        event="user.updated", meeting_id=None, zoom_user_id=None, delivered_at=NOON
    )

    assert desk.verdict(dead.id) == "webhook-dead"
    assert desk.verdict(f"https://d.example.com/webhooks/{fine.id}") == (
        "webhook-delivered"
    )
    assert desk.verdict(desk.app.recall_app_id) == "app-fine"
    assert desk.verdict(desk.app.client_id) == "app-fine"


def test_evidence_is_dated_sourced_and_newest_first(desk: Desk) -> None:
    row = desk.ana(connected_at=NOON - timedelta(days=1))
    desk.mapped(row, synced_at=NOON - timedelta(hours=2))
    desk.hook(received_at=NOON - timedelta(hours=3), delivered_at=NOON)
    desk.add(
        ConnectionEvent(
            id=new_id(NOON),
            connection_id=row.id,
            at=NOON - timedelta(hours=4),
            source="recall",
            kind="log",
            words="Recall noted something.",
        )
    )

    found = desk.explain(MEETING).lines

    dated = [line.at for line in found if line.at is not None]
    assert dated == sorted(dated, reverse=True)
    assert {line.source for line in found} == {"Zoom", "Recall", "Dashboard"}
    told = [line.words for line in found]
    assert any(words.startswith("Recall linked meeting 912") for words in told)
    assert any(
        words.startswith("meeting.created: recall accepted it. At ") for words in told
    )
    assert "Recall noted something." in told


def test_the_evidence_says_that_a_webhook_was_late(desk: Desk) -> None:
    signed_at = NOON - timedelta(days=2)
    desk.hook(timing=Mark.LATE, sent_at_s=int(signed_at.timestamp()))

    found = desk.explain(str(MEETING))

    assert any("It was late: signed by Zoom" in line.words for line in found.lines)


def test_a_name_that_looks_like_an_instant_is_words() -> None:
    for name in ("\x02" * 100_000, "\x02x\x03", "\x022026-99-99T99:99:99+00:00\x03"):
        assert all(isinstance(part, str) for part in verdicts.parts(name))


@pytest.mark.parametrize(
    ("cause", "checks"),
    [
        (TokenCause.NO_TOKEN, 1),  # the next check tells the user from the app
        (TokenCause.NO_CREDIT, 0),
        (TokenCause.PAIR_REFUSED, 0),
    ],
)
def test_asking_checks_what_is_the_users_own_and_not_what_is_everybodys(
    desk: Desk, cause: TokenCause, checks: int
) -> None:
    row = desk.ana(token_state=TokenState.UNKNOWN, token_cause=cause)

    assert list(desk.explain("ana@example.com").unsure) == [row.id] * checks
