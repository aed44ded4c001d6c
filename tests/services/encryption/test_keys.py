"""After a rotation the old key is needed no more."""

from typing import Any

from sqlmodel import SQLModel

from dashboard.db import Database
from dashboard.models.audit import VaultCheck
from dashboard.models.webhook import WebhookBody
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.encryption import keys
from dashboard.settings import new_key, parse_keys
from dashboard.vault import Vault
from tests.makers import a_body, a_webhook, a_workspace, a_zoom_app


def test_everything_opens_with_the_new_key_alone(database: Database) -> None:
    old, new = new_key(), new_key()
    former = Vault(parse_keys(old))
    place: dict[str, Any] = {"table": "vault_check", "column": "sealed", "row": 1}
    with database.writing() as session:
        session.add(VaultCheck(sealed=former.seal(b"known", **place)))
        session.add(a_workspace(former))
        app = a_zoom_app(former)
        session.add(app)
        session.flush()
        webhook = a_webhook(app)
        session.add(webhook)
        session.flush()
        session.add(a_body(former, webhook, body=b"exact bytes"))

    changed = keys.reseal(database, Vault(parse_keys(f"{new},{old}")))

    renewed = Vault(parse_keys(new))
    with database.reading() as session:
        body = session.get_one(WebhookBody, webhook.id)
        kept = session.get_one(ZoomApp, app.id)
    assert changed == 6
    assert (
        renewed.open(body.body, table="webhook_body", column="body", row=webhook.id)
        == b"exact bytes"
    )
    assert renewed.open_text(
        kept.client_secret, table="zoom_app", column="client_secret", row=app.id
    )


def test_a_second_rotation_has_nothing_to_do(database: Database, vault: Vault) -> None:
    with database.writing() as session:
        session.add(a_workspace(vault))

    assert keys.reseal(database, vault) == 0


def test_every_sealed_column_is_on_the_list() -> None:
    binary = {
        (table.name, column.name)
        for table in SQLModel.metadata.tables.values()
        for column in table.columns
        if column.type.python_type is bytes
    }

    listed = {
        (str(model.__tablename__), name)
        for model, names in keys.SEALED.items()
        for name in names
    }

    in_clear = {("webhook", "dedupe"), ("page_design", "logo")}
    assert binary - in_clear == listed
