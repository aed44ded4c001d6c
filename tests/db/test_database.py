"""One way to read, one way to write, alike on both databases."""

import shutil
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import select

from dashboard import schema
from dashboard.db import Database
from dashboard.errors import DatabaseBusyError, StorageError
from dashboard.models.staff import Role, Staff, Throttle
from dashboard.vault import Vault
from tests.makers import NOON, a_zoom_app


def a_person(**over: Any) -> Staff:
    values: dict[str, Any] = {
        "email": "a@example.com",
        "role": Role.ADMIN,
        "password_hash": "x",
        "created_at": NOON,
    }
    return Staff(**(values | over))


def test_an_instant_comes_back_in_utc(database: Database) -> None:
    warsaw = timezone(timedelta(hours=1))
    with database.writing() as session:
        session.add(a_person(created_at=datetime(2026, 11, 23, 13, tzinfo=warsaw)))

    with database.reading() as session:
        person = session.exec(select(Staff)).one()

    assert person.created_at == NOON
    assert person.created_at.tzinfo is UTC


def test_an_instant_without_a_zone_is_refused(database: Database) -> None:
    naive = NOON.replace(tzinfo=None)

    with pytest.raises(Exception, match="without a zone"), database.writing() as s:
        s.add(Throttle(key="x", window_at=naive))


def test_an_enum_is_stored_by_value_and_checked(database: Database) -> None:
    with database.writing() as session:
        session.add(a_person())
    statement = text("UPDATE staff SET role = 'emperor'")

    with pytest.raises(IntegrityError), database.writing() as session:
        session.connection().execute(statement)

    with database.reading() as session:
        stored = session.connection().execute(text("SELECT role FROM staff")).scalar()
    assert stored == "admin"


def test_a_block_that_raises_writes_nothing(database: Database) -> None:
    def fails() -> None:
        with database.writing() as session:
            session.add(a_person())
            session.flush()
            raise KeyError

    with pytest.raises(KeyError):
        fails()

    with database.reading() as session:
        assert session.exec(select(Staff)).all() == []


def test_a_reading_session_cannot_write(database: Database) -> None:
    statement = text("DELETE FROM staff")

    with pytest.raises((DBAPIError, StorageError)), database.reading() as session:
        session.connection().execute(statement)


def test_a_foreign_key_is_enforced(database: Database, vault: Vault) -> None:
    orphan = a_zoom_app(vault)
    orphan.workspace_id = orphan.id

    with pytest.raises(IntegrityError), database.writing() as session:
        session.add(orphan)


def test_many_threads_write_in_turn(database: Database) -> None:
    def write(number: int) -> None:
        with database.writing() as session:
            session.add(a_person(email=f"{number}@example.com"))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.reading() as session:
        assert len(session.exec(select(Staff)).all()) == 20


def test_a_second_process_may_not_write_to_the_same_file(sqlite: Database) -> None:
    other = Database(sqlite.url.render_as_string())
    sqlite.lock()

    with pytest.raises(DatabaseBusyError, match="only one that may write"):
        other.lock()

    other.close()


def test_a_closed_database_lets_another_write(sqlite: Database) -> None:
    first = Database(sqlite.url.render_as_string())
    first.lock()
    first.close()

    sqlite.lock()


def test_a_file_named_by_a_uri_is_the_same_file(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    path = str(sqlite.file).replace("sqlite", "%73qlite")
    other = Database(f"sqlite:///file:{path}?mode=rw&uri=true")

    assert other.file == sqlite.file
    with other.reading() as session:
        session.exec(select(Staff)).all()
    sqlite.lock()
    with pytest.raises(DatabaseBusyError, match="only one that may write"):
        other.lock()
    copy = schema.back_up(other, now=NOON)
    assert copy is not None
    assert copy.parent == Path(str(sqlite.url.database)).parent
    assert list(Path().iterdir()) == []
    other.close()


def test_the_first_use_makes_folder_and_file_for_the_owner_alone(
    tmp_path: Path,
) -> None:
    path = tmp_path / "instance" / "dashboard.db"
    database = Database(f"sqlite:///{path}")

    schema.upgrade(database)

    database.close()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("way", ["reading", "writing", "writing_fast"])
def test_what_began_before_an_outage_does_not_end_it(
    sqlite: Database, way: str
) -> None:
    file = Path(str(sqlite.file))
    moved = file.with_suffix(".moved")
    with getattr(sqlite, way)() as began_before:
        began_before.execute(text("SELECT 1"))
        file.rename(moved)
        with pytest.raises(StorageError), sqlite.reading():
            pass
    assert sqlite._outage._began_s is not None

    moved.rename(file)
    with getattr(sqlite, way)() as after:
        after.execute(text("SELECT 1"))

    assert sqlite._outage._began_s is None


@pytest.mark.parametrize("way", ["reading", "writing", "writing_fast"])
def test_a_file_that_was_replaced_is_not_used(sqlite: Database, way: str) -> None:
    file = Path(str(sqlite.file))
    with sqlite.writing() as session:
        session.execute(text("SELECT 1"))
    other = file.with_suffix(".other")
    shutil.copy(file, other)
    other.replace(file)

    with (
        pytest.raises(StorageError),
        getattr(sqlite, way)(),
    ):
        pass


def test_an_error_tells_no_values(database: Database) -> None:
    with database.writing() as session:
        session.add(a_person())

    with pytest.raises(IntegrityError) as caught, database.writing() as session:
        session.add(a_person(password_hash="hunter2"))

    assert "hunter2" not in str(caught.value)


def test_a_database_that_is_not_there_is_a_storage_error() -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")

    with pytest.raises(StorageError), database.reading() as session:
        session.connection()

    database.close()


def test_closing_waits_for_who_writes(sqlite: Database) -> None:
    begun, may_end = threading.Event(), threading.Event()
    happened: list[str] = []

    def write() -> None:
        with sqlite.writing() as session:
            session.add(a_person())
            begun.set()
            may_end.wait(10)
            happened.append("written")  # the block still has its turn

    def close() -> None:
        sqlite.close()
        happened.append("closed")

    threads = [threading.Thread(target=each) for each in (write, close)]
    threads[0].start()
    begun.wait(10)
    threads[1].start()
    threads[1].join(0.2)
    may_end.set()
    for each in threads:
        each.join(10)

    assert happened == ["written", "closed"]
