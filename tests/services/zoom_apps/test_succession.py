"""Who has moved on from one zoom app to the next."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session

from dashboard.db import Database
from dashboard.errors import ConflictError
from dashboard.models.connection import Connection, TokenState
from dashboard.models.zoom_app import Environment, Kind, ZoomApp
from dashboard.services.connections import listing
from dashboard.services.connections.listing import Filters, Sort
from dashboard.services.zoom_apps import succession
from dashboard.services.zoom_apps.succession import Move, Progress
from dashboard.vault import Vault
from tests.makers import NOON, a_connection, a_zoom_app


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.writing() as opened:
        yield opened


def two_apps(
    session: Session, vault: Vault, kind: Kind = Kind.USER_LEVEL
) -> tuple[ZoomApp, ZoomApp]:
    former = a_zoom_app(vault, kind=kind)
    following = a_zoom_app(
        vault, kind=kind, environment=Environment.PRODUCTION, succeeds_id=former.id
    )
    session.add(former)
    session.add(following)
    session.flush()
    return former, following


def connected(session: Session, app: ZoomApp, **over: Any) -> Connection:
    row = a_connection(app, **over)
    session.add(row)
    session.flush()
    return row


def names(session: Session, move: Move, *, is_moved: bool) -> list[str]:
    filters = Filters(
        zoom_app_id=move.from_id, sort=Sort.NAME, move=move, is_moved=is_moved
    )
    found = listing.page(session, filters)
    return [row.display_name for row in found.rows]


def test_the_two_know_each_other(session: Session, vault: Vault) -> None:
    former, following = two_apps(session, vault)

    assert succession.successor(session, former) == following
    assert succession.predecessor(session, following) == former
    assert succession.successor(session, following) is None
    assert succession.predecessor(session, former) is None


def test_a_second_successor_is_refused(session: Session, vault: Vault) -> None:
    former, following = two_apps(session, vault)

    succession.require_free(session, following.id)
    with pytest.raises(ConflictError, match="already"):
        succession.require_free(session, former.id)


@pytest.mark.parametrize(
    ("state", "moved"),
    [
        (TokenState.HEALTHY, 1),
        (TokenState.EXPIRING, 1),
        (TokenState.UNKNOWN, 1),
        (TokenState.MISSING_SCOPES, 1),
        (TokenState.RECONNECT_NEEDED, 0),
        (TokenState.UNHEALTHY_IN_RECALL, 0),
    ],
)
def test_a_connection_that_must_be_made_again_is_no_move(
    session: Session, vault: Vault, state: TokenState, moved: int
) -> None:
    former, following = two_apps(session, vault)
    row = connected(session, former, zoom_user_id="ana")
    there = connected(session, following, zoom_user_id="ana", token_state=state)
    move = succession.between(former, following)

    (mover,) = succession.movers(session, move, [row])

    assert succession.progress(session, move).moved == moved
    assert names(session, move, is_moved=True) == ["Ana Nowak"] * moved
    assert (mover.following, mover.has_moved) == (there, bool(moved))


def test_users_are_the_same_by_their_zoom_user_id(
    session: Session, vault: Vault
) -> None:
    former, following = two_apps(session, vault)
    stranger, _ = two_apps(session, vault)
    for name in ("ana", "ben", "carla"):
        connected(session, former, zoom_user_id=name, display_name=name)
    connected(session, former, zoom_user_id=None, display_name="not known")
    connected(session, following, zoom_user_id="ben")
    connected(session, following, zoom_user_id=None)
    connected(session, following, zoom_user_id="never here before")
    connected(session, stranger, zoom_user_id="ana")
    move = succession.between(former, following)

    assert succession.progress(session, move) == Progress(moved=1, total=4)
    assert names(session, move, is_moved=True) == ["ben"]
    assert names(session, move, is_moved=False) == ["ana", "carla", "not known"]


def test_accounts_are_the_same_by_their_zoom_account_id(
    session: Session, vault: Vault
) -> None:
    former, following = two_apps(session, vault, Kind.ACCOUNT_LEVEL)
    for account in ("acme", "bolt"):
        connected(
            session,
            former,
            zoom_user_id=None,
            zoom_account_id=account,
            display_name=account,
        )
    connected(session, following, zoom_user_id=None, zoom_account_id="bolt")
    move = succession.between(former, following)

    assert succession.progress(session, move) == Progress(moved=1, total=2)
    assert names(session, move, is_moved=False) == ["acme"]


def test_nobody_connected_is_no_progress_and_no_fault(
    session: Session, vault: Vault
) -> None:
    progress = succession.progress(
        session, succession.between(*two_apps(session, vault))
    )

    assert (progress.moved, progress.left, progress.percent) == (0, 0, 0)


@pytest.mark.parametrize(
    ("moved", "total", "percent"), [(12, 40, 30), (199, 200, 99), (200, 200, 100)]
)
def test_all_is_said_of_all_alone(moved: int, total: int, percent: int) -> None:
    assert Progress(moved=moved, total=total).percent == percent


def test_the_pages_of_those_left_hold_each_of_them_once(
    session: Session, vault: Vault
) -> None:
    former, following = two_apps(session, vault)
    move = succession.between(former, following)
    for number in range(25):
        at = NOON + timedelta(minutes=number)
        user = f"user{number:02}"
        connected(session, former, zoom_user_id=user, email=user, connected_at=at)
        if number % 5 == 0:
            connected(session, following, zoom_user_id=user)
    filters = Filters(zoom_app_id=former.id, sort=Sort.NAME, move=move)

    seen, cursor = [], None
    while True:
        found = listing.page(session, filters, cursor=cursor, limit=7)
        seen += [row.email for row in found.rows]
        cursor = found.older
        if cursor is None:
            break

    assert sorted(seen) == [f"user{number:02}" for number in range(25) if number % 5]


def test_a_search_keeps_to_those_left(session: Session, vault: Vault) -> None:
    former, following = two_apps(session, vault)
    for name in ("ana", "anna"):
        connected(session, former, zoom_user_id=name, email=f"{name}@example.com")
    connected(session, following, zoom_user_id="ana")
    move = succession.between(former, following)
    filters = Filters(search="an", zoom_app_id=former.id, move=move)

    found = listing.page(session, filters)

    assert [row.zoom_user_id for row in found.rows] == ["anna"]
