"""Whether the chain is whole: says where it breaks, in one sentence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session, col, func, or_, select

from dashboard.db import Database
from dashboard.models.audit import AuditEntry, AuditHead, AuditSeal
from dashboard.services.audit import chain, signing
from dashboard.services.audit.signing import Signer
from dashboard.vault import Vault

_BATCH = 500
TRIGGERS = ("audit_entry_no_delete", "audit_entry_no_update")
"""What refuses changes in the database itself; made by the migration."""


@dataclass(kw_only=True)
class Report:
    """What a verification found.

    Attributes:
        problem: Where the chain breaks; "" when it is whole.
        entries: How many were verified.
        newest: Number of the newest one; 0 in an empty log.
        newest_hash: Its hash.
        sealed_to: Number of the last one that a seal covers.
        sealed_at: When it was sealed.
        redacted: How many had their text removed by data deletions.
        pruned: How many the retention deleted.
    """

    problem: str = ""
    entries: int = 0
    newest: int = 0
    newest_hash: str = ""
    sealed_to: int = 0
    sealed_at: datetime | None = None
    redacted: int = 0
    pruned: int = 0


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """An entry's number and hash, noted outside the database."""

    seq: int
    hash: str


class _BreakError(Exception):
    """The chain is broken; the message says where."""


def verify(database: Database, vault: Vault, *, anchor: Anchor | None = None) -> Report:
    """Verify the whole chain, its seals and the rules of the database; reads only.

    Args:
        database: May be in use meanwhile.
        vault: Opens the keys of the seals.
        anchor: Of the log or the stream: the chain must still hold this entry.
    """
    while True:
        report, before = Report(), _checkpoint(database)
        try:
            with database.reading() as session:
                _verify(session, vault, report, anchor)
        except _BreakError as broken:
            report.problem = str(broken)
            if _checkpoint(database) != before:
                continue  # retention went on meanwhile
        return report


def verify_new(database: Database, vault: Vault) -> str:
    """Say what is broken after the newest seal, or in it; "" when nothing is."""
    try:
        with database.reading() as session:
            signer = Signer.load(session, vault)
            seals = session.exec(
                select(AuditSeal).order_by(col(AuditSeal.day).desc()).limit(2)
            ).all()
            head = session.get(AuditHead, 1) or AuditHead()
            _check_seals(seals[::-1], signer, is_whole=False)
            start = _newest_sealed(session, head, seals)
            _follow(session, start, head, signer, Report())
    except _BreakError as broken:
        return str(broken)
    return ""


def _newest_sealed(
    session: Session, head: AuditHead, seals: Sequence[AuditSeal]
) -> "_Place":
    """Return the entry that the newest seal is of, or where retention ended."""
    if not seals or seals[0].seq <= head.pruned_seq:
        return _Place(seq=head.pruned_seq, hash=head.pruned_hash)
    newest = seals[0]
    found = _entry(session, newest.seq)
    if found is None:
        raise _BreakError(_cut(newest))
    if found.hash != newest.hash:
        raise _BreakError(_rebuilt(newest))
    return _Place(seq=newest.seq, hash=newest.hash)


@dataclass(kw_only=True)
class _Place:
    """Where a walk along the chain is."""

    seq: int
    hash: str
    seals: dict[int, list[AuditSeal]] = field(default_factory=dict)


def _verify(
    session: Session, vault: Vault, report: Report, anchor: Anchor | None
) -> None:
    signer = Signer.load(session, vault)
    # In this order: an entry comes with its head, and a seal after both.
    seals = session.exec(select(AuditSeal).order_by(col(AuditSeal.day))).all()
    last = session.exec(select(func.max(AuditEntry.seq))).one() or 0
    head = session.get(AuditHead, 1) or AuditHead()
    report.pruned, report.newest, report.newest_hash = (
        head.pruned_seq,
        head.seq,
        head.hash,
    )
    if seals:
        report.sealed_to, report.sealed_at = seals[-1].seq, seals[-1].at
    _check_seals(seals, signer, is_whole=True)
    checkpoint = signing.of_checkpoint(head.pruned_seq, head.pruned_hash)
    if head.pruned_seq and not signer.is_signed(head.pruned_mac, *checkpoint):
        raise _BreakError(
            f"Entries 1 to {head.pruned_seq} are missing, and it was not the retention "
            "that deleted them."
        )
    place = _Place(seq=head.pruned_seq, hash=head.pruned_hash)
    for seal in seals:
        if seal.seq >= head.pruned_seq:
            place.seals.setdefault(seal.seq, []).append(seal)
    _match(place)
    _follow(session, place, head, signer, report)
    for seal in seals:
        if seal.seq > head.seq:
            raise _BreakError(_cut(seal))
    _check_outside(session, head, last=last)
    _check_anchor(session, head, anchor)
    missing = [name for name in TRIGGERS if name not in _triggers(session)]
    if missing:
        raise _BreakError(
            "The database no longer refuses changes of entries: "
            f"{' and '.join(missing)} is missing."
        )


def _check_outside(session: Session, head: AuditHead, *, last: int) -> None:
    if last > head.seq:
        raise _BreakError(f"Entry {last} was inserted after the end of the chain.")
    outside = session.exec(
        select(func.count())
        .select_from(AuditEntry)
        .where(
            or_(
                col(AuditEntry.seq).is_(None),
                col(AuditEntry.seq) <= head.pruned_seq,
            )
        )
    ).one()
    if outside:
        raise _BreakError(f"{outside} entries were inserted outside the chain.")


def _check_anchor(session: Session, head: AuditHead, anchor: Anchor | None) -> None:
    if anchor is not None and anchor.seq > head.pruned_seq:
        found = _entry(session, anchor.seq)
        if found is None or found.hash != anchor.hash:
            raise _BreakError(
                f"Entry {anchor.seq} is not the one that was noted: the chain was "
                "rebuilt or cut."
            )


def _follow(
    session: Session, place: _Place, head: AuditHead, signer: Signer, report: Report
) -> None:
    """Walk to the head, checking each entry against the one before it."""
    for entry in _entries(session, after=place.seq, upto=head.seq):
        if entry.seq != place.seq + 1:
            raise _BreakError(_missing(place.seq + 1, (entry.seq or 0) - 1))
        _check_text(entry, signer, report)
        if chain.entry_hash(place.hash, entry) != entry.hash:
            raise _BreakError(f"{_name(entry)} was changed, or is not in its place.")
        place.seq, place.hash = entry.seq, entry.hash
        report.entries += 1
        _match(place)
    if place.seq < head.seq:
        raise _BreakError(_missing(place.seq + 1, head.seq))
    if place.hash != head.hash:
        raise _BreakError(
            f"Entry {head.seq} is not the one that was written last: the end of the "
            "chain was rebuilt."
        )


def _check_text(entry: AuditEntry, signer: Signer, report: Report) -> None:
    if entry.salt:
        found = chain.digest(entry.salt, entry.subject, entry.changes)
        if found != entry.digest:
            raise _BreakError(f"{_name(entry)} was changed.")
        return
    left = signing.of_redaction(entry, subject=entry.subject, changes=entry.changes)
    if not signer.is_signed(entry.redaction, *left):
        raise _BreakError(
            f"{_name(entry)} was changed, and it was not a data deletion."
        )
    report.redacted += 1


def _check_seals(seals: Sequence[AuditSeal], signer: Signer, *, is_whole: bool) -> None:
    """Check each seal's signature and that none is missing before it."""
    former_mac = ""
    for number, seal in enumerate(seals):
        is_known = number > 0 or is_whole
        if is_known and not signer.is_signed(
            seal.mac, *signing.of_seal(seal, former_mac)
        ):
            raise _BreakError(
                f"The seal of {seal.day} was changed, is not signed by a key of this "
                "dashboard, or the one before it is missing."
            )
        former_mac = seal.mac


def _match(place: _Place) -> None:
    for seal in place.seals.get(place.seq, ()):
        if seal.hash != place.hash:
            raise _BreakError(_rebuilt(seal))


def _rebuilt(seal: AuditSeal) -> str:
    return (
        f"The chain up to entry {seal.seq} was rebuilt: it does not match the seal of "
        f"{seal.day}."
    )


def _cut(seal: AuditSeal) -> str:
    return (
        f"The seal of {seal.day} covers entry {seal.seq}, which is missing: the end "
        "of the chain was cut."
    )


def _missing(first: int, last: int) -> str:
    if first >= last:
        return f"Entry {first} is missing."
    return f"Entries {first} to {last} are missing."


def _name(entry: AuditEntry) -> str:
    return f"Entry {entry.seq} ({entry.act}, {entry.at:%Y-%m-%d %H:%M:%S} UTC)"


def _entries(session: Session, *, after: int, upto: int) -> Iterator[AuditEntry]:
    query = select(AuditEntry).order_by(col(AuditEntry.seq)).limit(_BATCH)
    while True:
        within = col(AuditEntry.seq) > after, col(AuditEntry.seq) <= upto
        found = session.exec(query.where(*within)).all()
        yield from found
        if len(found) < _BATCH:
            return
        after = found[-1].seq or 0
        session.expunge_all()


def _entry(session: Session, seq: int) -> AuditEntry | None:
    return session.exec(select(AuditEntry).where(col(AuditEntry.seq) == seq)).first()


def _checkpoint(database: Database) -> int:
    with database.reading() as session:
        head = session.get(AuditHead, 1)
        return head.pruned_seq if head is not None else 0


def _triggers(session: Session) -> set[str]:
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    else:
        query = (
            "SELECT tgname FROM pg_trigger WHERE tgrelid = 'audit_entry'::regclass "
            "AND tgenabled <> 'D'"
        )
    return set(connection.execute(text(query)).scalars())


def newest_seal(session: Session) -> AuditSeal | None:
    """Return the newest seal, or None before the first."""
    query = select(AuditSeal).order_by(col(AuditSeal.day).desc()).limit(1)
    return session.exec(query).first()


def known_problem(session: Session) -> str:
    """Return what the last sealing found broken; "" while all is well."""
    head = session.get(AuditHead, 1)
    return head.problem if head is not None else ""
