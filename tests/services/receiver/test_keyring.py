"""What an explanation may know of the other zoom apps, at the price of one query."""

from datetime import timedelta

from pydantic import SecretStr

from dashboard.db import Database
from dashboard.models.zoom_app import Environment, ZoomApp
from dashboard.services.receiver.keyring import AppCredentials
from dashboard.services.receiver.writer import WebhookWriter
from dashboard.vault import Vault
from tests.fixtures.receiver import limits, writer, zoom_app
from tests.makers import NOON, SECRET_TOKEN, saved_app

__all__ = ["limits", "writer", "zoom_app"]


def test_the_zoom_apps_are_asked_for_once_a_second_not_once_a_request(
    writer: WebhookWriter, zoom_app: AppCredentials, database: Database, vault: Vault
) -> None:
    first = writer.keyring.neighbours()
    with database.writing() as session:
        saved_app(session, vault)

    again = writer.keyring.neighbours()

    assert again is first
    assert [each.id for each in first] == [zoom_app.id]


def test_neighbours_are_the_newest_first_and_open_when_asked(
    writer: WebhookWriter, zoom_app: AppCredentials, database: Database, vault: Vault
) -> None:
    with database.writing() as session:
        newer = saved_app(
            session,
            vault,
            environment=Environment.PRODUCTION,
            created_at=NOON + timedelta(hours=1),
        )
        row = session.get_one(ZoomApp, newer)
        row.secret_token = vault.seal_text(
            SecretStr(" "), table="zoom_app", column="secret_token", row=newer
        )
        row.previous_secret_token = vault.seal_text(
            SECRET_TOKEN, table="zoom_app", column="previous_secret_token", row=newer
        )
        session.add(row)

    found = writer.keyring.neighbours()

    assert [each.id for each in found] == [newer, zoom_app.id]
    assert found[0].is_sibling(found[1])
    (secret,) = writer.keyring.secrets_of(found[0])
    assert (secret.name, secret.secret) == ("previous", SECRET_TOKEN)


def test_a_secret_that_the_key_does_not_open_is_none(
    writer: WebhookWriter, zoom_app: AppCredentials, database: Database
) -> None:
    with database.writing() as session:
        row = session.get_one(ZoomApp, zoom_app.id)
        row.secret_token = b"sealed with another key"
        session.add(row)

    (found,) = writer.keyring.neighbours()

    assert writer.keyring.secrets_of(found) == ()
