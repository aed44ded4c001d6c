"""The users of a connected account, searched and paged."""

import pytest

from dashboard.db import Database
from dashboard.models.connection import AccountMember, Connection
from dashboard.services.connections import members
from dashboard.vault import Vault
from tests.makers import NOON, a_connection, a_zoom_app


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", ["Ana", "Ben", "Cem"]),
        ("BEN", ["Ben"]),
        ("cem@", ["Cem"]),
        ("555 000 0002", ["Cem"]),
        ("555-000-0009", ["Ana"]),
        ("user1", ["Ben"]),
        ("user", []),
        ("100%", []),
        ("9" * 40, []),
    ],
)
def test_members_are_found_by_name_id_and_both_pmis(
    database: Database, vault: Vault, search: str, found: list[str]
) -> None:
    row = with_members(database, vault)

    with database.reading() as session:
        seen = members.page(session, row.id, search=search).members

    assert [one.display_name for one in seen] == found


def test_pages_of_members_neither_overlap_nor_skip(
    database: Database, vault: Vault
) -> None:
    row = with_members(database, vault, "Ana", "Ana", "Ben", "Ana", "Cem")
    after: str | None = None
    seen: list[str] = []

    with database.reading() as session:
        while True:
            found = members.page(session, row.id, after=after, limit=2)
            seen += [one.zoom_user_id for one in found.members]
            after = found.after
            if after is None:
                break
        strange = members.page(session, row.id, after="nobody").members

    assert seen == ["user0", "user1", "user3", "user2", "user4"]
    assert len(strange) == 5


def with_members(database: Database, vault: Vault, *names: str) -> Connection:
    app = a_zoom_app(vault)
    row = a_connection(app, zoom_user_id=None)
    with database.writing() as session:
        session.add(app)
        session.flush()
        session.add(row)
        session.flush()
        for number, name in enumerate(names or ("Ana", "Ben", "Cem")):
            session.add(
                AccountMember(
                    connection_id=row.id,
                    zoom_user_id=f"user{number}",
                    display_name=name,
                    email=f"{name.lower()}@example.com",
                    pmi=5550000000 + number,
                    previous_pmi=5550000009 if number == 0 else None,
                    seen_at=NOON,
                )
            )
    return row
