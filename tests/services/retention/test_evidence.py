"""Old refusals, counts, checks, attempts and resends go; what a status needs stays."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlmodel import SQLModel, col, func, select

from dashboard.db import Database
from dashboard.models.audit import AuditEntry
from dashboard.models.check import Check, Finding, Source
from dashboard.models.connection import AttemptOutcome, ConnectAttempt
from dashboard.models.ids import new_id
from dashboard.models.invitation import Invitation, InvitationState
from dashboard.models.resend import Redelivery, Resend
from dashboard.models.staff import Throttle
from dashboard.models.webhook import Refusal, RefusalCount
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.retention import pruning
from dashboard.vault import Vault
from tests.makers import NOON, a_connection, a_webhook, a_zoom_app

CUTOFF = NOON - timedelta(days=30)
OLD, YOUNG = CUTOFF - timedelta(hours=1), CUTOFF


@pytest.fixture
def owner(database: Database, vault: Vault) -> ZoomApp:
    added = a_zoom_app(vault)
    add(database, added)
    return added


def add(database: Database, *rows: SQLModel) -> None:
    with database.writing() as session:
        for row in rows:
            session.add(row)
            session.flush()


def prune(database: Database, limit: int = 100) -> int:
    with database.writing() as session:
        return pruning.prune_evidence(session, cutoff=CUTOFF, limit=limit)


def count(database: Database, model: type[SQLModel]) -> int:
    with database.reading() as session:
        return session.exec(select(func.count()).select_from(model)).one()


def a_refusal(owner: ZoomApp, at: datetime) -> Refusal:
    return Refusal(
        id=new_id(at),
        zoom_app_id=owner.id,
        cause="signature",
        detail="Another secret signed it.",
        status=401,
        body_bytes=2,
        received_at=at,
    )


def a_count(owner: ZoomApp, at: datetime) -> RefusalCount:
    return RefusalCount(
        id=new_id(at), zoom_app_id=owner.id, cause="signature", hour_at=at, requests=1
    )


def a_check(owner: ZoomApp, at: datetime, finding: Finding = Finding.GOOD) -> Check:
    return Check(
        id=new_id(at),
        zoom_app_id=owner.id,
        source=Source.ZOOM_CHALLENGE,
        finding=finding,
        detail="Seen.",
        at=at,
    )


def an_attempt(owner: ZoomApp, at: datetime, **over: Any) -> ConnectAttempt:
    values: dict[str, Any] = {
        "zoom_app_id": owner.id,
        "state_hash": uuid4().hex,
        "browser_hash": "0" * 64,
        "outcome": AttemptOutcome.EXPIRED,
        "created_at": at,
        "expires_at": at,
    }
    return ConnectAttempt(**(values | over))


def a_resend(at: datetime, ended_at: datetime | None) -> Resend:
    return Resend(
        id=new_id(at), asked_by="command line", asked_at=at, ended_at=ended_at
    )


def test_what_strangers_can_make_for_ever_goes(database: Database) -> None:
    for at in (OLD, YOUNG):
        add(database, Throttle(key=uuid4().hex, window_at=at))
        for act in ("session.refused", "session.begun"):
            add(database, AuditEntry(id=new_id(at), at=at, actor="x", act=act))

    assert prune(database) == 1
    assert count(database, Throttle) == 1
    assert count(database, AuditEntry) == 4  # kept as long as the audit log is


def test_refusals_and_their_counts_go(database: Database, owner: ZoomApp) -> None:
    for at in (OLD, YOUNG):
        add(database, a_refusal(owner, at), a_count(owner, at))

    assert prune(database) == 2
    assert (count(database, Refusal), count(database, RefusalCount)) == (1, 1)


def test_the_newest_checks_stay_however_old_and_the_last_good_one(
    database: Database, owner: ZoomApp
) -> None:
    good = [a_check(owner, OLD - timedelta(days=number)) for number in (4, 3)]
    bad = [
        a_check(owner, OLD - timedelta(hours=number), Finding.SECRET_MISMATCH)
        for number in range(pruning.CHECKS_KEPT + 3, 0, -1)
    ]
    add(database, *good, *bad)

    gone = prune(database)

    with database.reading() as session:
        left = session.exec(select(Check.id).order_by(col(Check.id))).all()
    assert gone == 4
    assert list(left) == [good[1].id, *(one.id for one in bad[3:])]


def test_young_checks_stay_however_many(database: Database, owner: ZoomApp) -> None:
    add(database, *(a_check(owner, YOUNG) for _ in range(30)))

    assert prune(database) == 0


def test_attempts_go_unless_they_are_open_or_the_story_of_a_connection(
    database: Database, owner: ZoomApp
) -> None:
    row = a_connection(owner)
    add(database, row)
    made: dict[str, UUID] = {"connection_id": row.id}
    add(
        database,
        an_attempt(owner, OLD),
        an_attempt(owner, OLD, outcome=AttemptOutcome.CONNECTED),
        an_attempt(owner, YOUNG),
        an_attempt(owner, OLD, outcome=AttemptOutcome.OPEN),
        an_attempt(owner, OLD, outcome=AttemptOutcome.CONNECTED, **made),
    )

    assert prune(database) == 2
    assert count(database, ConnectAttempt) == 3


def test_resends_go_after_their_webhooks(database: Database, owner: ZoomApp) -> None:
    owed, hook = a_resend(OLD, OLD), a_webhook(owner)
    add(database, owed, hook, a_resend(OLD, OLD), a_resend(OLD, None))
    add(
        database,
        Redelivery(
            id=new_id(OLD),
            resend_id=owed.id,
            webhook_id=hook.id,
            zoom_app_id=owner.id,
            due_at=OLD,
        ),
    )

    assert prune(database) == 1
    assert count(database, Resend) == 2


def test_a_step_deletes_no_more_than_it_may(database: Database, owner: ZoomApp) -> None:
    add(database, *(a_refusal(owner, OLD) for _ in range(5)))

    assert [prune(database, limit=3) for _ in range(3)] == [3, 2, 0]


@pytest.mark.parametrize(
    ("state", "at", "left"),
    [
        (InvitationState.EXPIRED, OLD, 0),
        (InvitationState.REVOKED, OLD, 0),
        (InvitationState.DONE, OLD, 0),
        (InvitationState.EXPIRED, YOUNG, 1),
        (InvitationState.OPENED, OLD, 1),
    ],
    ids=["expired", "revoked", "done, gone", "young", "not noted as expired"],
)
def test_links_of_no_use_go(
    database: Database, owner: ZoomApp, state: InvitationState, at: datetime, left: int
) -> None:
    add(database, a_link(owner, state, at))

    prune(database)

    assert count(database, Invitation) == left


def test_the_link_of_a_connection_stays_with_it(
    database: Database, owner: ZoomApp
) -> None:
    connection = a_connection(owner)
    link = a_link(owner, InvitationState.DONE, OLD)
    link.connection_id = connection.id
    add(database, connection, link)

    prune(database)

    assert count(database, Invitation) == 1


def a_link(owner: ZoomApp, state: InvitationState, at: datetime) -> Invitation:
    return Invitation(
        zoom_app_id=owner.id,
        token_hash=uuid4().hex,
        email="ana@example.com",
        state=state,
        created_at=at,
        expires_at=at,
    )
