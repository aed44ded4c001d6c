"""Zoom apps are entered tidy, sealed, and changed without losing a token."""

from dataclasses import replace

import pytest
from pydantic import SecretStr

from dashboard.db import Database
from dashboard.errors import ConflictError, InvalidInputError, VaultError
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import Environment, Kind, Routing, ZoomApp
from dashboard.services.zoom_apps import apps
from dashboard.services.zoom_apps.apps import NewZoomApp, ZoomAppChanges
from dashboard.vault import Vault, fingerprint
from tests.makers import CLIENT_SECRET, NOON, SECRET_TOKEN

NEW_TOKEN = SecretStr("test-secret-token-0002")


def values(**over: object) -> NewZoomApp:
    unremarkable = NewZoomApp(
        name="Notetaker",
        environment=Environment.DEVELOPMENT,
        kind=Kind.USER_LEVEL,
        client_id="simClient0000000000001",
        client_secret=CLIENT_SECRET,
        secret_token=SECRET_TOKEN,
    )
    return replace(unremarkable, **over)  # type: ignore[arg-type]  # the test's own values


def make(database: Database, vault: Vault, **over: object) -> ZoomApp:
    with database.writing() as session:
        return apps.create(session, vault, values=values(**over), now=NOON)


def change(database: Database, vault: Vault, made: ZoomApp, **over: object) -> ZoomApp:
    changes = replace(
        ZoomAppChanges(name=made.name, routing=made.routing),
        **over,  # type: ignore[arg-type]  # the test's own values
    )
    with database.writing() as session:
        return apps.change(session, vault, made.id, changes=changes, now=NOON)


def test_what_was_entered_comes_back_and_secrets_are_sealed(
    database: Database, vault: Vault
) -> None:
    made = make(database, vault)

    with database.reading() as session:
        found = apps.get(session, made.id)

    assert apps.client_secret(vault, found) == CLIENT_SECRET
    assert [one.secret for one in apps.secret_tokens(vault, found)] == [SECRET_TOKEN]
    assert b"test-" not in found.client_secret + found.secret_token
    assert found.secret_token_print == fingerprint(SECRET_TOKEN)
    assert found.verdict is Verdict.UNKNOWN


def test_a_secret_moved_to_another_column_does_not_open(
    database: Database, vault: Vault
) -> None:
    made = make(database, vault)

    moved = made.model_copy(update={"client_secret": made.secret_token})

    with pytest.raises(VaultError):
        apps.client_secret(vault, moved)


def test_white_space_around_values_is_removed_and_named() -> None:
    pasted = values(
        client_id=" simClient0000000000001\n",
        secret_token=SecretStr("\u200btest-secret-token-0001\u00a0 "),
    )

    tidied, trimmed = apps.tidy(pasted)

    assert tidied.client_id == "simClient0000000000001"
    assert tidied.secret_token == SECRET_TOKEN
    assert trimmed == ["client ID", "secret token"]


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"name": "   "}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"client_id": ""}, "client_id"),
        ({"client_secret": SecretStr("  \n")}, "client_secret"),
        ({"client_secret": SecretStr("test secret")}, "client_secret"),
        ({"client_secret": SecretStr("x" * 201)}, "client_secret"),
        ({"secret_token": SecretStr("test\x00token")}, "secret_token"),
        ({"secret_token": CLIENT_SECRET}, "secret_token"),
        ({"client_secret": SecretStr("simClient0000000000001")}, "client_secret"),
    ],
    ids=[
        "no name",
        "endless name",
        "no client id",
        "blank secret",
        "broken secret",
        "endless secret",
        "token with a zero byte",
        "client secret pasted as token",
        "client id pasted as secret",
    ],
)
def test_a_value_that_cannot_be_is_refused_without_being_repeated(
    over: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        apps.tidy(values(**over))

    assert caught.value.field == field
    assert "test" not in str(caught.value)


def test_a_client_id_is_entered_once(database: Database, vault: Vault) -> None:
    make(database, vault)

    with pytest.raises(ConflictError, match="already"):
        make(database, vault, name="Again")


def test_connect_pages_of_apps_with_one_name_have_their_own_address(
    database: Database, vault: Vault
) -> None:
    one = make(database, vault, name="Ünïcode & Söns!")
    other = make(database, vault, name="Ünïcode & Söns!", client_id="simClient2")

    assert one.slug != other.slug
    assert set(one.slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_a_replaced_secret_token_is_still_accepted(
    database: Database, vault: Vault
) -> None:
    made = make(database, vault)

    changed = change(database, vault, made, secret_token=NEW_TOKEN)

    tokens = apps.secret_tokens(vault, changed)
    assert [(one.name, one.secret) for one in tokens] == [
        ("current", NEW_TOKEN),
        ("previous", SECRET_TOKEN),
    ]
    assert changed.version == made.version + 1


def test_entering_the_same_secret_token_again_keeps_the_former_one(
    database: Database, vault: Vault
) -> None:
    made = make(database, vault)
    change(database, vault, made, secret_token=NEW_TOKEN)

    changed = change(database, vault, made, secret_token=NEW_TOKEN)

    tokens = apps.secret_tokens(vault, changed)
    assert [one.secret for one in tokens] == [NEW_TOKEN, SECRET_TOKEN]


def test_a_change_without_secrets_keeps_both(database: Database, vault: Vault) -> None:
    made = make(database, vault)

    changed = change(database, vault, made, name="Renamed", routing=Routing.DIRECT)

    assert apps.client_secret(vault, changed) == CLIENT_SECRET
    assert apps.secret_token(vault, changed) == SECRET_TOKEN
    assert (changed.name, changed.routing) == ("Renamed", Routing.DIRECT)


def test_a_new_client_secret_takes_the_old_verdict_away(
    database: Database, vault: Vault
) -> None:
    with database.writing() as session:
        made = apps.create(
            session,
            vault,
            values=values(),
            now=NOON,
            pair_check=apps.PairCheck(verdict=Verdict.RIGHT, reason="So.", at=NOON),
        )

    changed = change(
        database, vault, made, client_secret=SecretStr("test-client-secret-0002")
    )

    assert changed.verdict is Verdict.UNKNOWN
    assert changed.checked_at is None
