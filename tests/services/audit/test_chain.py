"""The chain: gap-free under many writers, and every alteration is found."""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from dashboard.db import Database
from dashboard.models.audit import AuditEntry, AuditHead, AuditSeal
from dashboard.services import audit
from dashboard.services.audit import sealing, signing, verifying
from dashboard.services.audit.verifying import Anchor
from dashboard.services.encryption import keys
from dashboard.settings import new_key, parse_keys
from dashboard.vault import Vault
from tests.fixtures.audit import AUDIT_LOG
from tests.makers import NOON

ANA = audit.Actor(name="ana@example.com", address="203.0.113.7")

FIELDS = "id, at, actor, act, subject, address, changes, times, salt, digest, hash"


def write(database: Database, number: int, *, day: int = 0) -> None:
    for each in range(number):
        now = NOON + timedelta(days=day, seconds=each)
        with database.writing() as session:
            audit.record(session, ANA, "zoom_app.changed", subject=f"{each}", now=now)


def seal(database: Database, vault: Vault, *, day: int = 0) -> None:
    with database.writing() as session:
        sealing.seal(session, vault, now=NOON + timedelta(days=day, hours=1))


def alter(database: Database, *statements: str) -> None:
    """Do what somebody can do who owns the database: no rule of it holds them."""
    with without_rules(database) as session:
        for statement in statements:
            session.connection().exec_driver_sql(statement)


@contextmanager
def without_rules(database: Database) -> Iterator[Session]:
    off, rules = ["SET LOCAL session_replication_role = replica"], []
    if database.is_sqlite:
        off = [f"DROP TRIGGER {name}" for name in verifying.TRIGGERS]
        with database.reading() as session:
            find = text("SELECT sql FROM sqlite_master WHERE type = 'trigger'")
            rules = list(session.connection().execute(find).scalars())
    with database.writing() as session:
        for statement in off:
            session.connection().exec_driver_sql(statement)
        yield session
        session.flush()
        for statement in rules:
            session.connection().exec_driver_sql(statement)


def problem(database: Database, vault: Vault) -> str:
    return verifying.verify(database, vault).problem


@pytest.fixture
def sealed(database: Database, vault: Vault) -> Database:
    """Give ten entries over two days, sealed."""
    write(database, 6)
    seal(database, vault)
    write(database, 4, day=1)
    seal(database, vault, day=1)
    return database


def test_an_untouched_chain_is_whole(sealed: Database, vault: Vault) -> None:
    report = verifying.verify(sealed, vault)

    assert (report.problem, report.entries, report.sealed_to) == ("", 10, 10)
    assert verifying.verify_new(sealed, vault) == ""


def test_an_empty_log_is_whole(database: Database, vault: Vault) -> None:
    assert verifying.verify(database, vault).problem == ""


def test_entries_after_the_seal_are_verified(sealed: Database, vault: Vault) -> None:
    write(sealed, 3, day=2)
    report = verifying.verify(sealed, vault)

    assert (report.problem, report.newest, report.sealed_to) == ("", 13, 10)


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'eve@example.com'",
        "act = 'zoom_app.created'",
        "subject = 'another'",
        "address = ''",
        "changes = '{}'",
        "times = 2",
        "staff_id = '5f0c6a4a1c0f4a3f9f6d7f2b8f8f8f8f'",
        "at = '2026-01-01 00:00:00+00:00'",
        "hash = 'x'",
        "salt = ''",
        "id = id + 1",
    ],
)
def test_a_changed_row_is_found(sealed: Database, vault: Vault, change: str) -> None:
    alter(sealed, f"UPDATE audit_entry SET {change} WHERE seq = 4")  # noqa: S608 - ours

    assert problem(sealed, vault).startswith("Entry 4 (")
    assert "was changed" in problem(sealed, vault)


def test_a_deleted_row_is_found(sealed: Database, vault: Vault) -> None:
    alter(sealed, "DELETE FROM audit_entry WHERE seq = 4")

    assert problem(sealed, vault) == "Entry 4 is missing."


def test_deleted_rows_are_found(sealed: Database, vault: Vault) -> None:
    alter(sealed, "DELETE FROM audit_entry WHERE seq IN (1, 2, 3)")

    assert problem(sealed, vault) == "Entries 1 to 3 are missing."


def move(seq: int, to: int) -> str:
    return f"UPDATE audit_entry SET seq = {to} WHERE seq = {seq}"  # noqa: S608 - ours


def test_a_row_deleted_with_its_number_taken_by_the_next_is_found(
    sealed: Database, vault: Vault
) -> None:
    alter(
        sealed,
        "DELETE FROM audit_entry WHERE seq = 4",
        *(move(n, n - 1) for n in range(5, 11)),
        "UPDATE audit_head SET seq = 9",
    )

    assert "Entry 4 (" in problem(sealed, vault)


def test_a_cut_tail_is_found(sealed: Database, vault: Vault) -> None:
    alter(sealed, "DELETE FROM audit_entry WHERE seq > 8")

    assert problem(sealed, vault) == "Entries 9 to 10 are missing."


def test_a_cut_tail_is_found_when_the_head_was_moved_too(
    sealed: Database, vault: Vault
) -> None:
    cut(sealed, to=8)

    assert problem(sealed, vault) == (
        "The seal of 2026-11-24 covers entry 10, which is missing: the end of the "
        "chain was cut."
    )
    assert "cut" in verifying.verify_new(sealed, vault)


def cut(database: Database, *, to: int) -> None:
    alter(
        database,
        f"DELETE FROM audit_entry WHERE seq > {to}",  # noqa: S608 - as below
        f"UPDATE audit_head SET seq = {to}, hash = "  # noqa: S608 - numbers of ours
        f"(SELECT hash FROM audit_entry WHERE seq = {to})",
    )


def test_a_cut_to_a_former_seal_is_found_with_a_noted_entry(
    sealed: Database, vault: Vault
) -> None:
    with sealed.reading() as session:
        last = session.exec(AUDIT_LOG).all()[-1]
    noted = Anchor(seq=10, hash=last.hash)
    assert verifying.verify(sealed, vault, anchor=noted).problem == ""

    cut(sealed, to=6)
    alter(sealed, "DELETE FROM audit_seal WHERE seq = 10")

    found = verifying.verify(sealed, vault, anchor=noted)
    assert found.problem.startswith("Entry 10 is not the one that was noted")


def test_a_tail_cut_before_it_was_sealed_is_found(
    sealed: Database, vault: Vault
) -> None:
    write(sealed, 3, day=2)
    alter(sealed, "DELETE FROM audit_entry WHERE seq > 11")

    assert problem(sealed, vault) == "Entries 12 to 13 are missing."


def test_swapped_rows_are_found(sealed: Database, vault: Vault) -> None:
    alter(
        sealed,
        "UPDATE audit_entry SET seq = 99 WHERE seq = 4",
        "UPDATE audit_entry SET seq = 4 WHERE seq = 7",
        "UPDATE audit_entry SET seq = 7 WHERE seq = 99",
    )

    assert problem(sealed, vault).startswith("Entry 4 (")


def test_rows_with_swapped_content_are_found(sealed: Database, vault: Vault) -> None:
    names = ["at", "subject", "salt", "digest"]
    with sealed.reading() as session:
        rows = [
            session.connection()
            .execute(text(f"SELECT {FIELDS} FROM audit_entry WHERE seq = {seq}"))  # noqa: S608 - names of ours
            .mappings()
            .one()
            for seq in (4, 7)
        ]
    alter(
        sealed,
        *(
            "UPDATE audit_entry SET "  # noqa: S608 - as above
            + ", ".join(f"{name} = '{other[name]}'" for name in names)
            + f" WHERE id = {row['id']}"
            for row, other in (rows, rows[::-1])
        ),
    )

    assert problem(sealed, vault).startswith("Entry 4 (")


def insert_row(database: Database, seq: str) -> None:
    alter(
        database,
        "INSERT INTO audit_entry (id, at, actor, act, subject, address, salt, digest, "  # noqa: S608 - as above
        "hash, seq) SELECT id + 1, at, actor, act, 'forged', address, salt, digest, "
        f"hash, {seq} FROM audit_entry WHERE seq = 4",
    )


@pytest.mark.parametrize("seq", ["NULL", "0", "11"])
def test_an_inserted_row_is_found(sealed: Database, vault: Vault, seq: str) -> None:
    insert_row(sealed, seq)

    assert "inserted" in problem(sealed, vault)


def test_a_row_inserted_between_two_is_found(sealed: Database, vault: Vault) -> None:
    alter(
        sealed,
        *(move(n, n + 1) for n in range(10, 4, -1)),
        "UPDATE audit_head SET seq = 11",
    )
    insert_row(sealed, "5")

    assert problem(sealed, vault).startswith("Entry 5 (")


def rebuild(session: Session, *, subject: str) -> None:
    """Forge an entry and every hash after it, as the documents describe the form."""
    former = ""
    rows = session.exec(select(AuditEntry).order_by(text("seq"))).all()
    for row in rows:
        if row.seq == 4:
            row.subject = subject
        row.digest = _sha256([row.salt, row.subject, row.changes])
        at = row.at.isoformat(timespec="microseconds")
        fields = [row.seq, row.id, at, str(row.staff_id or ""), row.actor, row.act]
        row.hash = former = _sha256(
            [former, *fields, row.address, row.times, row.digest]
        )
        session.add(row)
    session.get_one(AuditHead, 1).hash = former


def _sha256(parts: list[object]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def rebuild_all(database: Database, subject: str) -> None:
    with without_rules(database) as session:
        rebuild(session, subject=subject)


def test_a_rebuilt_chain_is_found(sealed: Database, vault: Vault) -> None:
    rebuild_all(sealed, "nothing happened")

    assert problem(sealed, vault) == (
        "The chain up to entry 6 was rebuilt: it does not match the seal of 2026-11-23."
    )
    assert "rebuilt" in verifying.verify_new(sealed, vault)


def test_the_form_is_the_documented_one(sealed: Database, vault: Vault) -> None:
    rebuild_all(sealed, "3")  # what is there already

    assert problem(sealed, vault) == ""


@pytest.mark.parametrize(
    "change",
    ["hash = 'x'", "mac = '1:00'", "mac = ''", "mac = '7:00'", "day = '2026-11-22'"],
)
def test_a_changed_seal_is_found(sealed: Database, vault: Vault, change: str) -> None:
    alter(sealed, f"UPDATE audit_seal SET {change} WHERE seq = 6")  # noqa: S608 - ours

    assert problem(sealed, vault).startswith("The seal of 2026-11-2")


def test_a_seal_of_another_key_is_found(sealed: Database, vault: Vault) -> None:
    stranger = Vault(parse_keys(new_key()))
    with sealed.writing() as session:
        session.connection().exec_driver_sql("DELETE FROM audit_key")
        signing.add_key(session, stranger, now=NOON)
    with sealed.writing() as session:
        sealed_key = vault.seal(b"k" * 32, table="audit_key", column="key", row=1)
        session.connection().execute(
            text("UPDATE audit_key SET key = :key"), {"key": sealed_key}
        )

    assert "not signed by a key of this dashboard" in problem(sealed, vault)


def test_a_deleted_seal_in_the_middle_is_found(sealed: Database, vault: Vault) -> None:
    alter(sealed, "DELETE FROM audit_seal WHERE seq = 6")

    assert "the one before it is missing" in problem(sealed, vault)


def test_a_head_that_was_deleted_is_made_again_from_the_last_entry(
    sealed: Database, vault: Vault
) -> None:
    with sealed.writing() as session:
        session.delete(session.get_one(AuditHead, 1))
    write(sealed, 1, day=2)

    report = verifying.verify(sealed, vault)
    assert (report.problem, report.newest) == ("", 11)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET subject = 'x' WHERE seq = 4",
        "UPDATE audit_entry SET salt = '', redaction = 'x', actor = 'x' WHERE seq = 4",
        "DELETE FROM audit_entry WHERE seq = 4",
        "DELETE FROM audit_entry",
        "UPDATE audit_entry SET seq = NULL WHERE seq = 4",
    ],
)
def test_the_database_refuses_to_change_or_delete(
    sealed: Database, vault: Vault, statement: str
) -> None:
    with pytest.raises(DBAPIError, match="cannot be changed"), sealed.writing() as s:
        s.connection().exec_driver_sql(statement)

    assert problem(sealed, vault) == ""


def test_a_missing_rule_of_the_database_is_found(
    sealed: Database, vault: Vault
) -> None:
    end = "" if sealed.is_sqlite else " ON audit_entry"
    with sealed.writing() as session:
        session.connection().exec_driver_sql(f"DROP TRIGGER audit_entry_no_update{end}")
        assert "audit_entry_no_update is missing" in _in(session, vault)
        session.rollback()


def _in(session: Session, vault: Vault) -> str:
    try:
        verifying._verify(session, vault, verifying.Report(), None)
    except verifying._BreakError as broken:
        return str(broken)
    return ""


def test_many_writers_at_once_make_one_chain_without_gaps(
    database: Database, vault: Vault
) -> None:
    def act(number: int) -> None:
        with database.writing() as session:
            for each in range(3):
                audit.record(
                    session, ANA, "bot.sent", subject=f"{number}.{each}", now=NOON
                )

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(act, range(24)))

    report = verifying.verify(database, vault)
    assert (report.problem, report.entries, report.newest) == ("", 72, 72)


def test_acts_that_lock_in_different_orders_do_not_stop_one_another(
    database: Database,
) -> None:
    """The chain's head is locked last: else these two would wait for each other."""
    with database.writing() as session:
        for day in ("a", "b"):
            session.add(AuditSeal(day=day, seq=0, hash="", at=NOON, mac=""))

    def act(number: int) -> None:
        with database.writing() as session:
            audit.record(session, ANA, "bot.sent", subject=f"{number}", now=NOON)
            session.get(AuditSeal, "ab"[number % 2], with_for_update=True)
            session.flush()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(act, range(40)))

    with database.reading() as session:
        assert len(session.exec(AUDIT_LOG).all()) == 40


def test_an_act_that_fails_leaves_no_entry_and_no_gap(
    database: Database, vault: Vault
) -> None:
    def fail() -> None:
        with database.writing() as session:
            audit.record(session, ANA, "bot.sent", subject="never", now=NOON)
            session.flush()
            raise RuntimeError("it failed")

    with pytest.raises(RuntimeError):
        fail()
    write(database, 1)

    report = verifying.verify(database, vault)
    assert (report.problem, report.newest) == ("", 1)


def test_what_a_savepoint_took_back_is_not_recorded(
    database: Database, vault: Vault
) -> None:
    with database.writing() as session:
        audit.record(session, ANA, "bot.sent", subject="before", now=NOON)
        inner = session.begin_nested()
        audit.record(session, ANA, "bot.sent", subject="never", now=NOON)
        inner.rollback()
        with session.begin_nested():
            audit.record(session, ANA, "bot.sent", subject="within", now=NOON)

    with database.reading() as session:
        assert [entry.subject for entry in session.exec(AUDIT_LOG)] == [
            "before",
            "within",
        ]
    assert problem(database, vault) == ""


def rotated(database: Database, former: str) -> Vault:
    newest = new_key()
    both = Vault(parse_keys(f"{newest},{former}"))
    keys.reseal(database, both)
    with database.writing() as session:
        signing.add_key(session, both, now=NOON)
    return Vault(parse_keys(newest))


def test_a_rotation_of_the_keys_keeps_the_former_seals(database: Database) -> None:
    key = new_key()
    vault = Vault(parse_keys(key))
    write(database, 6)
    seal(database, vault)

    fresh = rotated(database, key)
    write(database, 2, day=1)
    seal(database, fresh, day=1)

    report = verifying.verify(database, fresh)
    assert (report.problem, report.sealed_to) == ("", 8)
    rebuild_all(database, "nothing happened")
    assert "rebuilt" in problem(database, fresh)


def test_entries_are_pruned_and_the_rest_stays_whole(
    sealed: Database, vault: Vault
) -> None:
    write(sealed, 2, day=400)
    now = NOON + timedelta(days=401)

    assert prune(sealed, vault, now=now) == 10
    report = verifying.verify(sealed, vault)
    assert (report.problem, report.pruned, report.entries) == ("", 10, 3)
    with sealed.reading() as session:
        last = session.exec(AUDIT_LOG).all()[-1]
    assert (last.act, last.subject) == (
        "audit.pruned",
        "entries 1 to 10, older than 365 days",
    )
    assert prune(sealed, vault, now=now) == 0


def prune(database: Database, vault: Vault, *, now: datetime) -> int:
    return sealing.prune(database, vault, days=365, now=now)


def test_what_is_not_sealed_is_not_pruned(database: Database, vault: Vault) -> None:
    write(database, 3)

    assert prune(database, vault, now=NOON + timedelta(days=800)) == 0


def test_a_broken_chain_is_not_pruned(sealed: Database, vault: Vault) -> None:
    alter(sealed, "UPDATE audit_entry SET subject = 'x' WHERE seq = 4")

    assert prune(sealed, vault, now=NOON + timedelta(days=800)) == 0


def test_a_beginning_that_was_cut_is_not_taken_for_retention(
    sealed: Database, vault: Vault
) -> None:
    alter(
        sealed,
        "UPDATE audit_head SET pruned_seq = 4, pruned_hash = "
        "(SELECT hash FROM audit_entry WHERE seq = 4)",
        "DELETE FROM audit_entry WHERE seq <= 4",
    )

    assert "it was not the retention that deleted them" in problem(sealed, vault)


def redact(database: Database, vault: Vault, subject: str = "(erased)") -> None:
    with database.writing() as session:
        entry = session.exec(select(AuditEntry).where(AuditEntry.seq == 4)).one()
        signer = signing.Signer.ready(session, vault, now=NOON)
        sealing.redact(session, signer, entry.id, {"subject": subject})


def test_a_text_that_a_data_deletion_took_leaves_the_chain_whole(
    sealed: Database, vault: Vault
) -> None:
    redact(sealed, vault)
    redact(sealed, vault, "(erased) twice")

    report = verifying.verify(sealed, vault)
    assert (report.problem, report.redacted) == ("", 1)
    with sealed.reading() as session:
        entry = session.exec(select(AuditEntry).where(AuditEntry.seq == 4)).one()
        assert (entry.subject, entry.salt) == ("(erased) twice", "")


def test_a_text_taken_by_anybody_else_is_found(sealed: Database, vault: Vault) -> None:
    with sealed.writing() as session:
        session.connection().exec_driver_sql(
            "UPDATE audit_entry SET subject = '(erased)', salt = '', "
            "redaction = '1:00' WHERE seq = 4"
        )

    assert "it was not a data deletion" in problem(sealed, vault)
