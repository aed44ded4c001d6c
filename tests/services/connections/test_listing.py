"""Searching, filtering, paging, counting and exporting connections."""

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from dashboard.db import Database
from dashboard.models.connection import (
    Connection,
    MeetingMapping,
    SyncStatus,
    TokenCause,
    TokenState,
)
from dashboard.models.zoom_app import TokenCustody, ZoomApp
from dashboard.services.connections import listing
from dashboard.services.connections.listing import Filters, Sort
from dashboard.services.facts.acting import Who
from dashboard.services.facts.connections import Shown
from dashboard.services.paging import Page
from dashboard.vault import Vault
from tests.makers import NOON, a_connection, a_zoom_app

NUL = base64.urlsafe_b64encode(
    json.dumps(["name", 0, "\x00", "aaaaaaaa-0000-4000-8000-000000000001"]).encode()
).decode()
ANA_ID = UUID("aaaaaaaa-0000-4000-8000-000000000001")


@pytest.fixture
def zoom_app(database: Database, vault: Vault) -> ZoomApp:
    added = a_zoom_app(vault, recall_app_id=uuid4())
    with database.writing() as session:
        session.add(added)
    return added


def add(database: Database, *rows: Connection) -> None:
    with database.writing() as session:
        session.add_all(rows)


def emails(database: Database, filters: Filters) -> list[str]:
    with database.reading() as session:
        return [row.email for row in listing.page(session, filters).rows]


@pytest.mark.parametrize("sort", list(Sort))
def test_pages_neither_overlap_nor_skip_and_lead_back(
    database: Database, zoom_app: ZoomApp, sort: Sort
) -> None:
    rows = [
        a_connection(
            zoom_app,
            display_name=f"Name {number // 3}",  # many alike
            email=f"user{number // 2}@example.com",
            connected_at=NOON + timedelta(minutes=number // 4),
            due_at=NOON + timedelta(minutes=number // 4),
        )
        for number in range(11)
    ]
    add(database, *rows)
    filters = Filters(sort=sort)

    with database.reading() as session:
        whole = listing.page(session, filters, limit=50)
        one = listing.page(session, filters, limit=4)
        two = listing.page(session, filters, cursor=one.older, limit=4)
        three = listing.page(session, filters, cursor=two.older, limit=4)
        back = listing.page(session, filters, cursor=three.newer, limit=4)
        first = listing.page(session, filters, cursor=back.newer, limit=4)

    def ids(*pages: Page[Connection]) -> list[UUID]:
        return [row.id for page in pages for row in page.rows]

    assert ids(one, two, three) == ids(whole)
    assert (ids(back), ids(first)) == (ids(two), ids(one))
    assert (one.newer, three.older, first.newer) == (None, None, None)
    assert (whole.newer, whole.older) == (None, None)


@pytest.mark.parametrize(
    "cursor",
    ["!", "bm90IGpzb24", "W10", "W251bGwsMCwieCIsIngiXQ", "", "é", NUL],
    ids=[
        "not base64",
        "not JSON",
        "too short",
        "wrong types",
        "empty",
        "not ASCII",
        "NUL",
    ],
)
def test_a_cursor_of_no_sense_gives_the_first_page(
    database: Database, zoom_app: ZoomApp, cursor: str
) -> None:
    add(database, a_connection(zoom_app))

    with database.reading() as session:
        pages = [
            listing.page(session, Filters(sort=sort), cursor=cursor)
            for sort in (Sort.CONNECTED, Sort.NAME)
        ]

    assert [len(page.rows) for page in pages] == [1, 1]


def test_a_cursor_of_another_order_gives_the_first_page(
    database: Database, zoom_app: ZoomApp
) -> None:
    add(database, *(a_connection(zoom_app) for _ in range(3)))

    with database.reading() as session:
        by_name = listing.page(session, Filters(sort=Sort.NAME), limit=1)
        found = listing.page(session, Filters(), cursor=by_name.older)

    assert len(found.rows) == 3


@pytest.mark.parametrize(
    "search",
    [
        "ANA@",
        " nowak ",
        "zUsErAna",
        "555 123 4567",
        "555-123-4567",
        "5550000001",
        str(ANA_ID),
        ANA_ID.hex.upper(),
        "%_",
    ],
    ids=[
        "part of the e-mail",
        "part of the name",
        "Zoom user id",
        "PMI as Zoom shows it",
        "PMI with hyphens",
        "the PMI before",
        "Recall credential id",
        "the same without hyphens",
        "wildcards are letters",
    ],
)
def test_what_support_would_type_finds_the_user(
    database: Database, zoom_app: ZoomApp, search: str
) -> None:
    add(
        database,
        a_connection(
            zoom_app,
            display_name="Ana Nowak %_",
            email="ana@example.com",
            zoom_user_id="zUsErAna",
            pmi=5551234567,
            previous_pmi=5550000001,
            recall_credential_id=ANA_ID,
        ),
        a_connection(
            zoom_app, display_name="Ben", email="ben@example.com", pmi=5557654321
        ),
    )

    assert emails(database, Filters(search=search)) == ["ana@example.com"]


@pytest.mark.parametrize("search", ["\x00", "a\x00b", "\ud800"])
def test_a_search_no_database_takes_finds_nobody(
    database: Database, zoom_app: ZoomApp, search: str
) -> None:
    add(database, a_connection(zoom_app))

    assert emails(database, Filters(search=search)) == []


def test_a_whole_e_mail_is_found_alone_and_part_of_it_with_others(
    database: Database, zoom_app: ZoomApp
) -> None:
    emails_ = ["ana@example.com", "susana@example.com"]
    add(database, *(a_connection(zoom_app, email=email) for email in emails_))

    assert emails(database, Filters(search="Ana@Example.com")) == emails_[:1]
    assert len(emails(database, Filters(search="ana@example"))) == 2


@pytest.mark.parametrize(
    "stored", ["ana@b\u00fccher.example", "ana@xn--bcher-kva.example"]
)
def test_an_international_email_is_found_however_its_domain_is_spelled(
    database: Database, zoom_app: ZoomApp, stored: str
) -> None:
    add(database, a_connection(zoom_app, email=stored))

    for search in ("Ana@B\u00fccher.example", "ana@XN--BCHER-KVA.example"):
        assert emails(database, Filters(search=search)) == [stored]


def test_a_mapped_meeting_finds_whose_it_is(
    database: Database, zoom_app: ZoomApp
) -> None:
    row = a_connection(zoom_app, email="ana@example.com", pmi=None)
    add(database, row, a_connection(zoom_app, email="ben@example.com"))
    with database.writing() as session:
        session.add(
            MeetingMapping(
                id=1,
                connection_id=row.id,
                meeting_id=91234567890,
                synced_at=NOON,
                seen_at=NOON,
            )
        )

    assert emails(database, Filters(search="912 3456 7890")) == ["ana@example.com"]


FILTERS = {
    "the user": (Filters(who=Who.USER), {"dead"}),
    "the admin": (Filters(who=Who.ADMIN), {"key"}),
    "the host": (Filters(who=Who.HOST), {"blocked"}),
    "nobody": (Filters(who=Who.NOBODY), {"well", "held", "old", "new"}),
    "sync failed": (Filters(sync=SyncStatus.FAILED), {"dead"}),
    "kept here": (Filters(custody=TokenCustody.DASHBOARD), {"held"}),
    "not of late": (
        Filters(unchecked_since=NOON - timedelta(days=1)),
        {"old", "new"},
    ),
    "nobody, by name": (Filters(who=Who.NOBODY, search="o"), {"old"}),
}


@pytest.mark.parametrize(("filters", "found"), FILTERS.values(), ids=FILTERS)
def test_each_filter_finds_its_own(
    database: Database, zoom_app: ZoomApp, filters: Filters, found: set[str]
) -> None:
    dead, unknown = TokenState.RECONNECT_NEEDED, TokenState.UNKNOWN
    people: dict[str, dict[str, Any]] = {
        "well": {},
        "dead": {"token_state": dead, "sync_status": SyncStatus.FAILED},
        "key": {
            "token_state": unknown,
            "token_cause": TokenCause.KEY_REFUSED,
        },
        "blocked": {"recording_block": "Not allowed."},
        "held": {"token_custody": TokenCustody.DASHBOARD},
        "old": {"token_checked_at": NOON - timedelta(hours=25)},
        "new": {"token_checked_at": None},
    }
    add(
        database,
        *(
            a_connection(zoom_app, email=email, display_name="", **over)
            for email, over in people.items()
        ),
    )

    assert set(emails(database, filters)) == found
    with database.reading() as session:
        counted = listing.counts(session, replace(filters, as_of=NOON))
    assert counted is not None
    assert sum(counted.values()) == len(found)


def test_filters_narrow_and_counts_ignore_the_state(
    database: Database, zoom_app: ZoomApp, vault: Vault
) -> None:
    other = a_zoom_app(vault, recall_app_id=uuid4())
    with database.writing() as session:
        session.add(other)
    dead = TokenState.RECONNECT_NEEDED
    add(
        database,
        a_connection(zoom_app, email="a@example.com"),
        a_connection(zoom_app, email="b@example.com", token_state=dead),
        a_connection(other, email="c@example.com", token_state=dead),
    )
    filters = Filters(state=Shown.RECONNECT_NEEDED, zoom_app_id=zoom_app.id, as_of=NOON)

    with database.reading() as session:
        counts = listing.counts(session, replace(filters, as_of=NOON))

    assert emails(database, filters) == ["b@example.com"]
    assert counts is not None
    assert counts[Shown.HEALTHY] == 1
    assert counts[Shown.RECONNECT_NEEDED] == 1
    assert counts[Shown.UNKNOWN] == 0


def test_an_export_ends_whatever_the_names_hold(
    database: Database, zoom_app: ZoomApp
) -> None:
    odd = "👩\u200d💻\u00a0\tZoë"
    add(database, *(a_connection(zoom_app, display_name=odd) for _ in range(501)))

    found = list(listing.everything(database, Filters(sort=Sort.NAME)))

    assert len(found) == 501


def test_an_export_has_everything_once(database: Database, zoom_app: ZoomApp) -> None:
    add(
        database,
        *(a_connection(zoom_app, email=f"{uuid4()}@x.org") for _ in range(1201)),
    )

    found = list(listing.everything(database, Filters(sort=Sort.EMAIL)))

    assert len({row.id for row in found}) == 1201
    assert [row.email for row in found] == sorted(row.email for row in found)
