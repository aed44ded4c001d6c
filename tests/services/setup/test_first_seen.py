"""The first time each thing was seen, found in what is kept; one row a case."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from dashboard.db import Database
from dashboard.models.check import Finding, Source
from dashboard.models.connection import AttemptOutcome
from dashboard.models.watch import Milestone
from dashboard.models.zoom_app import Routing, TokenCustody, ZoomApp
from dashboard.services.marketplace.subscription_rules import (
    State as SubscriptionState,
)
from dashboard.services.setup import first_seen
from dashboard.services.setup.steps import StepKey
from dashboard.services.validation.evidence import CHALLENGE
from dashboard.services.zoom_apps import scopes
from dashboard.vault import Vault
from tests.fixtures.setup import a_check, a_mapping, an_app, an_attempt
from tests.makers import NOON, a_connection, a_webhook, a_zoom_app

LATER = NOON + timedelta(hours=1)
BEFORE = NOON - timedelta(hours=1)
Rows = Callable[[ZoomApp], list[Any]]


def found(
    database: Database, app: ZoomApp, rows: list[Any]
) -> dict[StepKey, Milestone]:
    with database.writing() as session:
        session.add(app)
        session.flush()
        for row in rows:
            session.add(row)
            session.flush()
    with database.reading() as session:
        return first_seen.find(session, session.get_one(ZoomApp, app.id), [*StepKey])


def _mapped(app: ZoomApp) -> list[Any]:
    person = a_connection(app)
    return [person, a_mapping(person)]


SEEN: dict[str, tuple[Rows, StepKey]] = {
    "Zoom's good challenge": (
        lambda app: [a_check(app, Source.ZOOM_CHALLENGE)],
        StepKey.CHALLENGE,
    ),
    "Recall's answer to a challenge passed on": (
        lambda app: [a_check(app, Source.RECALL_CHALLENGE)],
        StepKey.RECALL_VALIDATED,
    ),
    "Recall's answer to our own": (
        lambda app: [a_check(app, Source.RECALL_PROBE)],
        StepKey.RECALL_VALIDATED,
    ),
    "Recall's API": (
        lambda app: [a_check(app, Source.RECALL_API, told_at=NOON)],
        StepKey.RECALL_VALIDATED,
    ),
    "a connection": (lambda app: [a_connection(app)], StepKey.USER),
    "an event": (lambda app: [a_webhook(app)], StepKey.EVENT),
    "an event that Recall took": (
        lambda app: [a_webhook(app, delivered_at=NOON)],
        StepKey.DELIVERY,
    ),
    "a mapping": (_mapped, StepKey.MAPPING),
    "a connect attempt that came back": (
        lambda app: [an_attempt(app, outcome=AttemptOutcome.DECLINED)],
        StepKey.REDIRECT,
    ),
}

NOT_SEEN: dict[str, tuple[Rows, StepKey]] = {
    "a challenge that failed": (
        lambda app: [
            a_check(app, Source.ZOOM_CHALLENGE, finding=Finding.SECRET_MISMATCH)
        ],
        StepKey.CHALLENGE,
    ),
    "our own challenge to our own address": (
        lambda app: [a_check(app, Source.OUTSIDE_PROBE)],
        StepKey.CHALLENGE,
    ),
    "a probe with the secret token before this one": (
        lambda app: [a_check(app, Source.RECALL_PROBE, at=BEFORE)],
        StepKey.RECALL_VALIDATED,
    ),
    "Recall's API of before this secret token": (
        lambda app: [a_check(app, Source.RECALL_API, at=BEFORE)],
        StepKey.RECALL_VALIDATED,
    ),
    "Recall's log": (
        lambda app: [a_check(app, Source.RECALL_LOG)],
        StepKey.RECALL_VALIDATED,
    ),
    "a challenge is no event": (
        lambda app: [a_webhook(app, event=CHALLENGE)],
        StepKey.EVENT,
    ),
    "a challenge that Recall took is no delivery": (
        lambda app: [a_webhook(app, event=CHALLENGE, delivered_at=NOON)],
        StepKey.DELIVERY,
    ),
    "an event that waits": (lambda app: [a_webhook(app)], StepKey.DELIVERY),
    "a user who came from Recall": (
        lambda app: [a_connection(app)],
        StepKey.REDIRECT,
    ),
    "an attempt that is at Zoom": (
        lambda app: [an_attempt(app, outcome=AttemptOutcome.OPEN, ended_at=None)],
        StepKey.REDIRECT,
    ),
    "an attempt that never came back": (
        lambda app: [an_attempt(app, outcome=AttemptOutcome.ABANDONED)],
        StepKey.REDIRECT,
    ),
    "scopes by name, which Recall's custody cannot tell": (
        lambda app: [a_connection(app, scopes=_all(app))],
        StepKey.SCOPES,
    ),
}


def _all(app: ZoomApp) -> str:
    return " ".join(scopes.missing(set(), app))


@pytest.mark.parametrize(("rows", "key"), SEEN.values(), ids=SEEN.keys())
def test_what_was_seen_is_found_with_time_and_proof(
    database: Database, vault: Vault, rows: Rows, key: StepKey
) -> None:
    app = a_zoom_app(vault)

    one = found(database, app, rows(app))[key]

    assert (one.zoom_app_id, one.key, one.at) == (app.id, key.value, NOON)
    assert one.proof


@pytest.mark.parametrize(("rows", "key"), NOT_SEEN.values(), ids=NOT_SEEN.keys())
def test_what_proves_something_else_is_not_taken_for_it(
    database: Database, vault: Vault, rows: Rows, key: StepKey
) -> None:
    app = a_zoom_app(vault)

    assert key not in found(database, app, rows(app))


def test_nothing_is_found_of_an_app_of_which_nothing_was_seen(
    database: Database, vault: Vault
) -> None:
    other, app = an_app(vault), a_zoom_app(vault)
    with database.writing() as session:
        session.add(other)
        session.flush()
        session.add(a_webhook(other, delivered_at=NOON))
        session.add(a_connection(other))

    assert found(database, app, []) == {}


def test_the_first_is_taken_not_the_newest(database: Database, vault: Vault) -> None:
    app = a_zoom_app(vault)
    rows = [
        a_check(app, Source.ZOOM_CHALLENGE, at=LATER),
        a_check(app, Source.ZOOM_CHALLENGE),
        a_connection(app, connected_at=LATER),
        a_connection(app),
        a_webhook(app, received_at=LATER, delivered_at=LATER),
        a_webhook(app, delivered_at=NOON),
    ]

    seen = found(database, app, rows)

    keys = (StepKey.CHALLENGE, StepKey.USER, StepKey.EVENT, StepKey.DELIVERY)
    assert [seen[key].at for key in keys] == [NOON] * 4


def test_the_pair_and_the_recall_app_are_the_apps_own(
    database: Database, vault: Vault
) -> None:
    app = an_app(vault, checked_at=LATER, recall_created_at=BEFORE)

    seen = found(database, app, [])

    assert (seen[StepKey.PAIR].at, seen[StepKey.RECALL_APP].at) == (LATER, BEFORE)
    assert str(app.recall_app_id) in seen[StepKey.RECALL_APP].proof


def test_zooms_own_list_of_the_subscription_proves_the_events(
    database: Database, vault: Vault
) -> None:
    app = a_zoom_app(
        vault,
        subscription_state=SubscriptionState.MATCHES,
        subscription_checked_at=NOON,
    )

    one = found(database, app, [])[StepKey.EVENT]

    assert (one.at, one.webhook_id) == (NOON, None)
    assert "asked via API" in one.proof


@pytest.mark.parametrize(
    "state", [one for one in SubscriptionState if one != SubscriptionState.MATCHES]
)
def test_a_subscription_that_does_not_match_proves_nothing(
    database: Database, vault: Vault, state: SubscriptionState
) -> None:
    app = a_zoom_app(vault, subscription_state=state, subscription_checked_at=NOON)

    assert StepKey.EVENT not in found(database, app, [])


def test_an_event_is_better_proof_than_the_subscription(
    database: Database, vault: Vault
) -> None:
    app = a_zoom_app(
        vault,
        subscription_state=SubscriptionState.MATCHES,
        subscription_checked_at=BEFORE,
    )

    assert found(database, app, [a_webhook(app)])[StepKey.EVENT].webhook_id is not None


def test_a_delivery_is_found_behind_a_long_backlog(
    sqlite: Database, vault: Vault
) -> None:
    app = a_zoom_app(vault)
    waiting = [
        a_webhook(app, received_at=NOON + timedelta(seconds=n))
        for n in range(first_seen.STRETCH + 5)
    ]

    seen = found(
        sqlite, app, [*waiting, a_webhook(app, received_at=LATER, delivered_at=LATER)]
    )

    assert seen[StepKey.DELIVERY].at == LATER


TOLD = {
    "told of a minute before our probe": (timedelta(minutes=-1), True),
    "told of while our probe ran": (timedelta(seconds=-1), False),
    "told of after our probe": (timedelta(seconds=5), True),
}


@pytest.mark.parametrize(("off", "is_zooms"), TOLD.values(), ids=TOLD.keys())
def test_with_direct_routing_our_own_probe_is_not_taken_for_zooms(
    database: Database,
    vault: Vault,
    off: timedelta,
    is_zooms: bool,  # noqa: FBT001 - a column of the table
) -> None:
    app = a_zoom_app(vault, routing=Routing.DIRECT)
    rows = [
        a_check(app, Source.RECALL_PROBE),
        a_check(app, Source.RECALL_API, at=LATER, told_at=NOON + off),
    ]

    seen = found(database, app, rows)

    assert (StepKey.ZOOM_VALIDATED in seen) is is_zooms
    if is_zooms:
        assert seen[StepKey.ZOOM_VALIDATED].at == NOON + off


def test_scopes_known_by_name_and_complete_are_proof(
    database: Database, vault: Vault
) -> None:
    app = a_zoom_app(vault, token_custody=TokenCustody.DASHBOARD)
    few, full = a_connection(app, scopes="a"), a_connection(app, scopes=_all(app))

    seen = found(database, app, [few, full])

    assert seen[StepKey.SCOPES].connection_id == full.id


def test_no_proof_names_a_user(database: Database, vault: Vault) -> None:
    app = a_zoom_app(vault)
    person = a_connection(app)
    rows = [person, a_mapping(person), a_webhook(app, delivered_at=NOON)]

    seen = found(database, app, rows).values()

    words = " ".join(one.proof for one in seen)
    assert len(seen) >= 4
    assert not any(known in words for known in ("Ana", "ana@example.com", "555", "912"))
