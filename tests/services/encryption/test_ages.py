"""How old keys and secrets are."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, select

from dashboard.db import Database
from dashboard.models.audit import AuditKey
from dashboard.models.worker import SettingSecret
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.encryption import ages
from dashboard.services.encryption.ages import NoteAges
from dashboard.services.status import attention
from dashboard.settings import Settings, load, new_key, parse_keys
from dashboard.vault import Vault
from tests.makers import NOON, FakeClock, a_workspace, saved_app

DAY = timedelta(days=1)


@pytest.fixture
def clock() -> Any:
    return FakeClock(NOON)


def settings_with(folder: Path, **over: str) -> Settings:
    return load(instance=folder, **over)


def seen(database: Database) -> dict[str, int]:
    """Return on which day each secret of the settings was first seen."""
    with database.reading() as session:
        rows = session.exec(select(SettingSecret)).all()
    return {row.name: (row.seen_at - NOON).days for row in rows}


def test_a_secret_of_the_settings_is_as_old_as_its_value(
    database: Database, tmp_path: Path, clock: Any
) -> None:
    old, new = Vault(parse_keys(new_key())), Vault(parse_keys(new_key()))
    first = settings_with(tmp_path, secret_key="a" * 32, metrics_token="b" * 32)
    later = settings_with(tmp_path, secret_key="c" * 32)

    NoteAges(database, old, clock, first)()
    clock.advance(days=3)
    NoteAges(database, old, clock, first)()
    assert seen(database) == {
        "encryption_keys": 0,
        "secret_key": 0,
        "metrics_token": 0,
    }
    NoteAges(database, new, clock, later)()

    assert seen(database) == {"encryption_keys": 3, "secret_key": 3}
    with database.reading() as session:
        stored = str(session.exec(select(SettingSecret)).all())
    assert "cccc" not in stored


def fill(session: Session, vault: Vault) -> None:
    """Have one of each, a day apart: the client secret is the oldest."""
    app = session.get_one(ZoomApp, saved_app(session, vault))
    app.client_secret_set_at = NOON - 5 * DAY
    app.secret_token_set_at = NOON - 4 * DAY
    workspace = a_workspace(vault)
    workspace.api_key_set_at = NOON - 3 * DAY
    retired = session.get_one(ZoomApp, saved_app(session, vault))
    retired.retired_at = NOON
    retired.client_secret_set_at = NOON - 30 * DAY
    session.add_all([app, workspace, retired])
    session.add(AuditKey(id=1, made_at=NOON - 9 * DAY, key=b"x"))
    session.add(AuditKey(id=2, made_at=NOON - 2 * DAY, key=b"x"))
    session.add(
        SettingSecret(
            name="oidc_client_secret", fingerprint="0" * 8, seen_at=NOON - DAY
        )
    )


def test_all_are_listed_the_oldest_first(database: Database, vault: Vault) -> None:
    with database.writing() as session:
        fill(session, vault)

    with database.reading() as session:
        every = ages.all_of(session)

    found = [each for each in every if each.since < NOON]  # not the apps' workspaces
    assert [(each.what, (NOON - each.since).days) for each in found] == [
        ("Client secret", 5),
        ("Secret token", 4),
        ("Recall API key", 3),
        ("Key that signs the audit log", 2),
        ("Client secret at the identity provider", 1),
    ]
    assert ages.old(found, days=0, now=NOON) == []
    assert ages.old(found, days=5, now=NOON) == found[:1]
    assert [each.is_first_seen for each in found] == [False] * 4 + [True]


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (0, []),
        (6, []),
        (5, ["1 key or secret is older than 5 days."]),
        (3, ["3 keys and secrets are older than 3 days."]),
    ],
)
def test_what_is_old_needs_attention(
    database: Database, vault: Vault, days: int, said: list[str]
) -> None:
    with database.writing() as session:
        fill(session, vault)

    with database.reading() as session:
        items = attention.items(
            session,
            [],
            public_url="https://zoom.example.com",
            now=NOON,
            secret_reminder_days=days,
        )

    found = [each for each in items if each.problem == "secrets_old"]
    assert [each.sentence for each in found] == said
    assert all("client secret (Notetaker, development)" in e.detail for e in found)
