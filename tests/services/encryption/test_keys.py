"""After a rotation the old key is needed no more."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from sqlmodel import Session, SQLModel, select

from dashboard import logs, transactions
from dashboard.db import Database
from dashboard.errors import SettingsError, VaultError
from dashboard.models.audit import VaultCheck
from dashboard.models.webhook import WebhookBody
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.encryption import keys
from dashboard.settings import Settings, load, new_key, parse_keys, read_or_make_file
from dashboard.vault import Vault
from tests.fixtures.transactions import Transactions
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


def test_nothing_is_sealed_inside_the_transaction(database: Database) -> None:
    class Outside(Vault):
        def seal(self, *args: Any, **place: Any) -> bytes:
            transactions.require_none("sealing")
            return super().seal(*args, **place)

    old, new = new_key(), new_key()
    with database.writing() as session:
        session.add(a_workspace(Vault(parse_keys(old))))

    assert keys.reseal(database, Outside(parse_keys(f"{new},{old}"))) == 1


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

    in_clear = {
        ("webhook", "dedupe"),  # hashes, as the next two
        ("failed_delivery", "dedupe"),
        ("failed_delivery", "key"),
        ("page_design", "logo"),
        ("passkey", "public_key"),
    }
    assert binary - in_clear == listed


def a_settings(folder: Path, **over: Any) -> Settings:
    return load(instance=folder, **over)


def test_of_two_first_starts_with_different_keys_one_is_refused(
    database: Database, tmp_path: Path
) -> None:
    """Both see an empty database before either stores its check."""
    database.lock()
    barrier = Barrier(2)
    opened: list[int] = []

    def start(number: int) -> str:
        mine = a_settings(tmp_path / str(number), encryption_keys=new_key())
        reading = database.reading

        @contextmanager
        def together() -> Iterator[Session]:
            with reading() as session:
                yield session
            if number not in opened:
                opened.append(number)
                barrier.wait()

        slow = copy(database)
        slow.reading = together  # type: ignore[method-assign]  # the two meet here
        try:
            keys.open_vault(mine, slow)
        except VaultError as error:
            return str(error)
        return "started"

    with ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(start, range(2)), key=len)

    assert said[0] == "started"
    assert "does not hold the key" in said[1]


def test_a_generated_file_is_whole_for_all_who_make_it_at_once(tmp_path: Path) -> None:
    for number in range(50):
        path, barrier = tmp_path / str(number) / "secret_key", Barrier(2)

        def make(_: int, path: Path = path, barrier: Barrier = barrier) -> str:
            barrier.wait()
            return read_or_make_file(path, new_key())[0]

        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(make, range(2))

        assert first == second == path.read_text().strip()
        assert [one.name for one in path.parent.iterdir()] == ["secret_key"]
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("content", [b"", b" \n", b"a", b"x" * 15, b"\xff" * 40])
def test_a_session_key_file_that_is_no_key_stops_the_start(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "secret_key").write_bytes(content)

    with pytest.raises(SettingsError, match="secret_key"):
        keys.session_key(a_settings(tmp_path))


def test_a_keys_file_that_holds_no_key_stops_the_start_without_repeating_it(
    sqlite: Database, tmp_path: Path
) -> None:
    (tmp_path / "encryption_keys").write_text("hunter2")

    with pytest.raises(SettingsError, match="encryption_keys in the") as caught:
        keys.open_vault(a_settings(tmp_path), sqlite)

    assert "hunter2" not in str(caught.value)
    assert (tmp_path / "encryption_keys").read_text() == "hunter2"


def test_a_session_key_is_made_once(tmp_path: Path) -> None:
    made = keys.session_key(a_settings(tmp_path))

    assert len(made) == len(new_key())
    assert keys.session_key(a_settings(tmp_path)) == made
    assert keys.session_key(a_settings(tmp_path / "other")) != made


def test_a_session_key_file_is_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("x" * 16 + "\n")

    assert keys.session_key(a_settings(tmp_path)) == "x" * 16


def test_files_that_others_can_read_are_named(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".env").write_text("")
    (tmp_path / ".env").chmod(0o644)

    logs.set_up()
    for _ in range(2):  # the second finds the key that the first one made
        keys.open_vault(a_settings(tmp_path), database)

    said = capsys.readouterr().err
    assert f"chmod 600 {tmp_path / '.env'}" in said
    assert "chmod 600" not in said.replace(f"chmod 600 {tmp_path / '.env'}", "")


def test_rows_are_sealed_again_in_batches(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "_BATCH", 2)
    old, new = new_key(), new_key()
    former = Vault(parse_keys(old))
    with database.writing() as session:
        session.add_all([a_workspace(former) for _ in range(5)])
    transactions = Transactions(database, monkeypatch)

    changed = keys.reseal(database, Vault(parse_keys(f"{new},{old}")))

    assert (changed, transactions.number) == (5, 3)
    renewed = Vault(parse_keys(new))
    with database.reading() as session:
        for row in session.exec(select(Workspace)).all():
            renewed.open_text(
                row.api_key, table="workspace", column="api_key", row=row.id
            )


def test_a_value_that_is_replaced_meanwhile_is_not_overwritten(
    database: Database,
) -> None:
    old, new = new_key(), new_key()
    place: dict[str, Any] = {"table": "vault_check", "column": "sealed", "row": 1}
    with database.writing() as session:
        session.add(VaultCheck(sealed=Vault(parse_keys(old)).seal(b"before", **place)))

    class Slow(Vault):
        def seal(self, value: bytes, **place: Any) -> bytes:
            newer = super().seal(b"after", **place)
            with database.writing() as session:
                session.get_one(VaultCheck, 1).sealed = newer
            return super().seal(value, **place)

    both = Slow(parse_keys(f"{new},{old}"))

    assert keys.reseal(database, both) == 0
    with database.reading() as session:
        stored = session.get_one(VaultCheck, 1).sealed
    assert both.open(stored, **place) == b"after"
