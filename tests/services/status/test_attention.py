"""What needs attention: each trouble gives one row with its one action."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import update

from dashboard.db import Database
from dashboard.models.check import Finding, Source
from dashboard.models.circuit import CircuitKind, OpenCircuit
from dashboard.models.connection import (
    AttemptOutcome,
    ConnectAttempt,
    TokenCause,
    TokenState,
)
from dashboard.models.held_grant import HeldGrant
from dashboard.models.webhook import Mark, Outcome
from dashboard.models.workspace import Verdict, Workspace
from dashboard.models.zoom_app import TokenCustody, ZoomApp
from dashboard.services.facts.acting import Act, Who
from dashboard.services.facts.connections import Shown
from dashboard.services.status import attention, overview
from dashboard.services.status.attention import Item
from dashboard.services.validation import evidence
from dashboard.vault import Vault
from tests.makers import NOON, a_connection, a_webhook, a_workspace, saved_app

FINE = "https://dashboard.example.com"


def listed(database: Database, public_url: str = FINE) -> list[Item]:
    with database.reading() as session:
        apps = overview.list_apps(session, now=NOON)
        return list(attention.items(session, apps, public_url=public_url, now=NOON))


def actions(database: Database) -> list[Act]:
    return [item.act for item in listed(database)]


@pytest.fixture
def zoom_app(database: Database, vault: Vault) -> ZoomApp:
    """An app about which there is nothing to say."""
    with database.writing() as session:
        app_id = saved_app(session, vault, verdict=Verdict.RIGHT, checked_at=NOON)
        return session.get_one(ZoomApp, app_id)


def store(database: Database, *rows: Any) -> None:
    with database.writing() as session:
        for row in rows:
            session.add(row)


def test_an_app_in_order_needs_nothing(database: Database, zoom_app: ZoomApp) -> None:
    store(
        database,
        a_connection(zoom_app),
        a_webhook(zoom_app),
        a_webhook(zoom_app, outcome=Outcome.DELIVERED),
    )

    assert listed(database) == []


def test_a_pair_that_zoom_refuses_is_trouble(database: Database, vault: Vault) -> None:
    with database.writing() as session:
        saved_app(session, vault, verdict=Verdict.WRONG)

    found = listed(database)

    assert [(item.tone, item.act) for item in found] == [("trouble", Act.EDIT_APP)]


def test_an_unchecked_pair_is_said_to_be_unchecked_not_wrong(
    database: Database, vault: Vault
) -> None:
    with database.writing() as session:
        saved_app(session, vault, verdict_reason="Zoom could not be reached.")

    found = listed(database)

    assert [(item.tone, item.act) for item in found] == [("waiting", Act.VERIFY)]
    assert "not verified" in found[0].sentence
    assert found[0].detail == "Zoom could not be reached."


def test_a_dead_webhook_is_counted(database: Database, zoom_app: ZoomApp) -> None:
    store(database, *(a_webhook(zoom_app, outcome=Outcome.DEAD) for _ in range(3)))

    found = listed(database)

    assert [item.act for item in found] == [Act.SEE_FAILED]
    assert "3 webhooks for Notetaker (development)" in found[0].sentence


def test_a_dead_webhook_that_a_resend_brought_to_recall_needs_nobody(
    database: Database, zoom_app: ZoomApp
) -> None:
    store(database, a_webhook(zoom_app, outcome=Outcome.DEAD, delivered_at=NOON))

    assert listed(database) == []


def test_webhooks_waiting_for_a_recall_app_lead_to_making_one(
    database: Database, vault: Vault
) -> None:
    with database.writing() as session:
        app_id = saved_app(
            session,
            vault,
            recall_app_id=None,
            verdict=Verdict.RIGHT,
            checked_at=NOON,
        )
        app = session.get_one(ZoomApp, app_id)
    store(database, a_webhook(app, received_at=NOON - timedelta(minutes=1)))

    found = listed(database)

    assert [item.act for item in found] == [Act.CREATE_IN_RECALL]
    assert found[0].since == NOON - timedelta(minutes=1)


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        (CircuitKind.WORKSPACE, Act.WORKSPACES),
        (CircuitKind.ZOOM_APP, Act.ZOOM_APP),
    ],
)
def test_what_stands_still_is_said_once_with_who_mends_it(
    database: Database, zoom_app: ZoomApp, kind: CircuitKind, action: Act
) -> None:
    its_id = zoom_app.id if kind is CircuitKind.ZOOM_APP else zoom_app.workspace_id
    hold = OpenCircuit(
        id=its_id or zoom_app.id,
        kind=kind,
        is_holding=True,
        reason="An admin saves the secret token again.",
        since=NOON - timedelta(hours=1),
        probe_at=NOON,
    )
    store(database, a_webhook(zoom_app, received_at=NOON - timedelta(hours=1)), hold)

    [item] = listed(database)

    assert (item.tone, item.act) == ("trouble", action)
    assert "1 webhook queued" in item.sentence
    assert item.detail.startswith("An admin saves the secret token again.")
    assert item.since == NOON - timedelta(hours=1)


def test_strikes_alone_need_nobody(database: Database, zoom_app: ZoomApp) -> None:
    hold = OpenCircuit(
        id=zoom_app.workspace_id or zoom_app.id,
        kind=CircuitKind.WORKSPACE,
        failures=4,
        since=NOON,
        probe_at=NOON,
    )
    store(database, a_webhook(zoom_app), hold)

    assert listed(database) == []


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [(9, []), (11, [Act.SEE_WAITING])],
    ids=["for a while", "for long"],
)
def test_a_backlog_is_said_once_it_is_old(
    database: Database, zoom_app: ZoomApp, minutes: int, expected: list[Act]
) -> None:
    store(database, a_webhook(zoom_app, received_at=NOON - timedelta(minutes=minutes)))

    assert actions(database) == expected


@pytest.mark.parametrize(
    "state",
    [
        TokenState.RECONNECT_NEEDED,
        TokenState.UNHEALTHY_IN_RECALL,
        TokenState.MISSING_SCOPES,
    ],
)
def test_people_who_must_act_are_counted_by_state(
    database: Database, zoom_app: ZoomApp, state: TokenState
) -> None:
    store(database, *(a_connection(zoom_app, token_state=state) for _ in range(2)))

    found = listed(database)

    assert [(item.act, item.token_state) for item in found] == [
        (Act.SEE_CONNECTIONS, Shown(state.value))
    ]
    assert "2 users of Notetaker" in found[0].sentence


def test_what_an_admin_must_mend_is_told_apart_from_what_is_nobodys(
    database: Database, zoom_app: ZoomApp
) -> None:
    causes = (TokenCause.KEY_REFUSED, TokenCause.NONE)
    unknown = TokenState.UNKNOWN
    rows = (
        a_connection(zoom_app, token_state=unknown, token_cause=cause)
        for cause in causes
    )
    store(database, *rows)

    (item,) = listed(database)

    assert item.sentence.startswith("1 connection of Notetaker")
    assert (item.act, item.token_state) == (Act.SEE_CONNECTIONS, Shown.UNKNOWN)


def test_an_api_key_that_recall_refuses_is_trouble(
    database: Database, vault: Vault
) -> None:
    store(database, a_workspace(vault, verdict=Verdict.WRONG))

    assert actions(database) == [Act.WORKSPACES]


def test_an_address_that_zoom_would_refuse_is_said_last(
    database: Database, zoom_app: ZoomApp
) -> None:
    store(database, a_webhook(zoom_app, outcome=Outcome.DEAD))

    found = listed(database, "http://localhost:8000")

    assert [item.act for item in found] == [
        Act.SEE_FAILED,
        Act.SET_PUBLIC_URL,
    ]
    assert "localhost" in found[1].sentence


def test_a_slow_clock_is_said_until_a_webhook_is_on_time(
    database: Database, zoom_app: ZoomApp
) -> None:
    ahead = int(NOON.timestamp()) + 12 * 60
    store(
        database,
        a_webhook(zoom_app),
        a_webhook(zoom_app, timing=Mark.CLOCK, sent_at_s=ahead),
    )

    [item] = listed(database)
    store(database, a_webhook(zoom_app))

    assert (item.tone, item.act) == ("trouble", Act.SEE_AHEAD)
    assert "clock is slow: Zoom's webhooks are dated 12 minutes ahead" in item.sentence
    assert listed(database) == []


def test_a_clock_that_was_slow_the_day_before_yesterday_is_history(
    database: Database, zoom_app: ZoomApp
) -> None:
    long_ago = NOON - timedelta(days=2)
    store(database, a_webhook(zoom_app, timing=Mark.CLOCK, received_at=long_ago))

    assert Act.SEE_AHEAD not in actions(database)


def test_attempts_that_were_all_lost_at_zoom_point_to_the_redirect_url(
    database: Database, zoom_app: ZoomApp
) -> None:
    store(database, *(a_lost_attempt(zoom_app, hours) for hours in range(1, 4)))

    [item] = listed(database)

    assert (item.tone, item.act) == ("trouble", Act.SEE_ATTEMPTS)
    assert "the last 3 connect attempts never came back" in item.sentence
    assert item.since == NOON - timedelta(hours=3)


def a_lost_attempt(zoom_app: ZoomApp, hours: int) -> ConnectAttempt:
    at = NOON - timedelta(hours=hours)
    return ConnectAttempt(
        zoom_app_id=zoom_app.id,
        state_hash=f"state {hours}",
        browser_hash="browser",
        outcome=AttemptOutcome.ABANDONED,
        created_at=at,
        expires_at=at + timedelta(minutes=10),
    )


__all__ = ["zoom_app"]


def test_a_secret_mismatch_is_trouble(database: Database, zoom_app: ZoomApp) -> None:
    with database.writing() as session:
        evidence.record(
            session,
            zoom_app_id=zoom_app.id,
            source=Source.ZOOM_CHALLENGE,
            finding=Finding.SECRET_MISMATCH,
            detail="Zoom signed with another secret token.",
            at=NOON,
        )

    found = listed(database)

    assert [(item.tone, item.act) for item in found] == [("trouble", Act.EDIT_APP)]
    assert found[0].detail == "Zoom signed with another secret token."


def test_an_overdue_validation_is_said(database: Database, zoom_app: ZoomApp) -> None:
    long_ago = NOON - timedelta(days=5)
    with database.writing() as session:
        app = session.get_one(ZoomApp, zoom_app.id)
        app.secret_token_set_at = long_ago - timedelta(hours=1)
        session.add(app)
        for source in (Source.ZOOM_CHALLENGE, Source.RECALL_CHALLENGE):
            evidence.record(
                session,
                zoom_app_id=zoom_app.id,
                source=source,
                finding=Finding.GOOD,
                detail="Answered.",
                at=long_ago,
            )

    found = listed(database)

    assert [(item.tone, item.act) for item in found] == [("waiting", Act.SEE_URL)]
    assert "overdue" in found[0].sentence


def challenged(
    database: Database, zoom_app: ZoomApp, finding: Finding, *days_ago: int
) -> None:
    with database.writing() as session:
        for days in days_ago:
            evidence.record(
                session,
                zoom_app_id=zoom_app.id,
                source=Source.ZOOM_CHALLENGE,
                finding=finding,
                detail="It came too late.",
                at=NOON - timedelta(days=days),
            )


@pytest.mark.parametrize(
    ("days_ago", "sentence"),
    [
        (
            (1,),
            "{app}: Zoom's validation of the webhook URL fails: 1 of 6 failed checks.",
        ),
        (
            (7, 4, 1),
            "{app}: Zoom's validation of the webhook URL fails: 3 of 6 failed checks.",
        ),
        (
            (16, 13, 10, 7, 4, 1),
            "{app}: Zoom has disabled this app's webhooks: 6 of 6 failed checks.",
        ),
    ],
)
def test_failures_are_counted_until_zoom_switches_off(
    database: Database, zoom_app: ZoomApp, days_ago: tuple[int, ...], sentence: str
) -> None:
    challenged(database, zoom_app, Finding.FAILED, *days_ago)

    [item] = listed(database)

    assert (item.tone, item.act) == ("trouble", Act.SEE_URL)
    assert item.sentence == sentence.format(app="Notetaker (development)")
    assert item.since == NOON - timedelta(days=days_ago[0])


def test_an_app_that_recall_lost_is_trouble(
    database: Database, zoom_app: ZoomApp
) -> None:
    with database.writing() as session:
        evidence.record(
            session,
            zoom_app_id=zoom_app.id,
            source=Source.RECALL_API,
            finding=Finding.GONE,
            detail="Recall has no such app.",
            at=NOON,
        )

    [item] = listed(database)

    assert item.sentence == "Notetaker (development): The app was deleted in Recall."
    assert item.next_step.startswith("Create it again in Recall, or adopt")
    assert item.who is Who.ADMIN


def fallen_silent(database: Database, zoom_app: ZoomApp) -> None:
    long_ago = NOON - timedelta(days=9)
    store(
        database,
        a_connection(zoom_app, connected_at=long_ago),
        a_webhook(zoom_app, received_at=long_ago, outcome=Outcome.DELIVERED),
    )


def test_an_app_that_fell_silent_is_trouble(
    database: Database, zoom_app: ZoomApp
) -> None:
    fallen_silent(database, zoom_app)

    [item] = listed(database)

    assert (item.tone, item.act) == ("trouble", Act.SEE_URL)
    assert "No events from Zoom for 9 days" in item.sentence


def test_that_zoom_switched_off_says_already_why_it_is_silent(
    database: Database, zoom_app: ZoomApp
) -> None:
    fallen_silent(database, zoom_app)
    challenged(database, zoom_app, Finding.FAILED, 6, 5, 4, 3, 2, 1)

    [item] = listed(database)

    assert "disabled" in item.sentence


def test_of_a_retired_app_nothing_is_expected(
    database: Database, zoom_app: ZoomApp
) -> None:
    fallen_silent(database, zoom_app)
    challenged(database, zoom_app, Finding.FAILED, 1)
    with database.writing() as session:
        session.get_one(ZoomApp, zoom_app.id).retired_at = NOON

    assert listed(database) == []


def in_workspace(database: Database, vault: Vault, **values: Any) -> Any:
    """Store an app with its tokens here, in a workspace of these values."""
    with database.writing() as session:
        app_id = saved_app(
            session,
            vault,
            verdict=Verdict.RIGHT,
            checked_at=NOON,
            token_custody=TokenCustody.DASHBOARD,
        )
        app = session.get_one(ZoomApp, app_id)
        workspace = session.get_one(Workspace, app.workspace_id)
        for name, value in values.items():
            setattr(workspace, name, value)
        row = a_connection(session.get_one(ZoomApp, app_id))
        session.add(row)
        session.flush()
        return row.id


def stored_grant(connection_id: Any, **values: Any) -> HeldGrant:
    return HeldGrant(
        connection_id=connection_id,
        key_hash="0" * 64,
        access_token=b"x",
        refresh_token=b"x",
        expires_at=NOON + timedelta(days=1),
        obtained_at=NOON,
        refresh_due_at=NOON + timedelta(days=1),
        **values,
    )


def about_tokens(database: Database) -> list[tuple[str, str]]:
    return [
        (each.tone, each.sentence)
        for each in listed(database)
        if "oken request" in each.sentence
    ]


@pytest.mark.parametrize(
    ("values", "tone", "words"),
    [
        ({}, "trouble", "not verified"),
        ({"verification_secret": b"x"}, "waiting", "are allowed"),
    ],
)
def test_tokens_for_unsigned_calls_are_named_while_it_lasts(
    database: Database, vault: Vault, values: dict[str, Any], tone: str, words: str
) -> None:
    in_workspace(database, vault, **values)

    [(found, sentence)] = about_tokens(database)

    assert found == tone
    assert words in sentence


@pytest.mark.parametrize(
    ("ago", "number"), [(None, 0), (timedelta(hours=1), 1), (timedelta(days=2), 0)]
)
def test_a_refused_unsigned_call_is_named_for_a_day(
    database: Database, vault: Vault, ago: timedelta | None, number: int
) -> None:
    row_id = in_workspace(
        database, vault, verification_secret=b"x", requires_signature=True
    )
    at = None if ago is None else NOON - ago
    store(database, stored_grant(row_id, unsigned_at=at))

    assert len(about_tokens(database)) == number


def test_tokens_that_recall_stores_need_no_signature(
    database: Database, vault: Vault
) -> None:
    in_workspace(database, vault)
    with database.writing() as session:
        session.exec(update(ZoomApp).values(token_custody=TokenCustody.RECALL))

    assert about_tokens(database) == []
