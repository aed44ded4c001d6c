"""Who stored, claimed and attempted what, noted by the database itself.

Triggers write down each webhook, claim and attempt with the name under which its
process is connected, so the books rest on nothing that the code under test says.
"""

from collections import Counter
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import text

from dashboard.db import Database
from dashboard.models.webhook import Outcome
from dashboard.vault import Vault

_TABLES = (
    "CREATE TABLE chaos_claim (webhook_id bigint, old bigint, new bigint, owner text)",
    "CREATE TABLE chaos_attempt (webhook_id bigint, claim bigint, owner text)",
    "CREATE TABLE chaos_stored (owner text)",
    "CREATE INDEX chaos_claims ON chaos_claim (webhook_id, new)",
    "CREATE INDEX chaos_attempts ON chaos_attempt (webhook_id, claim)",
)
_CLAIMED = "INSERT INTO chaos_claim VALUES (NEW.id, OLD.claim, NEW.claim, {owner});"
_ATTEMPTED = (
    "INSERT INTO chaos_attempt SELECT NEW.webhook_id, claim, {owner}"
    " FROM webhook WHERE id = NEW.webhook_id;"
)
_STORED = "INSERT INTO chaos_stored VALUES ({owner});"
_SQLITE = (
    """CREATE TRIGGER chaos_claimed AFTER UPDATE OF claim ON webhook
    WHEN NEW.claim <> OLD.claim BEGIN {claimed} END""",
    "CREATE TRIGGER chaos_attempted AFTER INSERT ON attempt BEGIN {attempted} END",
    "CREATE TRIGGER chaos_stored AFTER INSERT ON webhook BEGIN {stored} END",
)
_POSTGRESQL = (
    """CREATE FUNCTION chaos_claimed() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN {claimed} RETURN NULL; END$$""",
    """CREATE FUNCTION chaos_attempted() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN {attempted} RETURN NULL; END$$""",
    """CREATE TRIGGER chaos_claimed AFTER UPDATE ON webhook FOR EACH ROW
    WHEN (NEW.claim <> OLD.claim) EXECUTE FUNCTION chaos_claimed()""",
    """CREATE TRIGGER chaos_attempted AFTER INSERT ON attempt FOR EACH ROW
    EXECUTE FUNCTION chaos_attempted()""",
    """CREATE FUNCTION chaos_stored() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN {stored} RETURN NULL; END$$""",
    """CREATE TRIGGER chaos_stored AFTER INSERT ON webhook FOR EACH ROW
    EXECUTE FUNCTION chaos_stored()""",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One webhook in the database.

    Attributes:
        digest: SHA-256 of the bytes received, hex, as its column tells.
        kept_digest: SHA-256 of the sealed bytes, opened; None when it was not opened.
    """

    id: int
    digest: str
    outcome: Outcome
    kept_digest: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """One change of a claim counter, and the process that made it."""

    webhook_id: int
    old: int
    new: int
    owner: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Try:
    """One attempt's row: the claim its webhook had then, and the process."""

    webhook_id: int
    claim: int
    owner: str


def install(database: Database) -> None:
    """Have the database write down claims and attempts from now on; commits."""
    owner = "'serve'" if database.is_sqlite else "current_setting('application_name')"
    words = {
        "claimed": _CLAIMED.format(owner=owner),
        "attempted": _ATTEMPTED.format(owner=owner),
        "stored": _STORED.format(owner=owner),
    }
    with database.writing() as session:
        for statement in _TABLES:
            session.connection().exec_driver_sql(statement)
        for statement in _SQLITE if database.is_sqlite else _POSTGRESQL:
            session.connection().exec_driver_sql(statement.format(**words))


def waiting(database: Database) -> int:
    """Count the webhooks that are owed to Recall."""
    query = text("SELECT count(*) FROM webhook WHERE outcome = 'waiting'")
    with database.reading() as session:
        return int(session.connection().execute(query).scalar_one())


def rows(database: Database, vault: Vault) -> list[Row]:
    """Return every webhook; what is not delivered is opened and hashed."""
    query = text(
        "SELECT id, body_sha256, outcome, body FROM webhook LEFT JOIN webhook_body"
        " ON webhook_id = id AND outcome <> 'delivered'"
    )
    with database.reading() as session:
        return [
            Row(
                id=row.id,
                digest=row.body_sha256,
                outcome=Outcome(row.outcome),
                kept_digest=_opened(vault, row.id, row.body),
            )
            for row in session.connection().execute(query)
        ]


def claims(database: Database) -> list[Claim]:
    """Return every claim made."""
    query = text("SELECT webhook_id, old, new, owner FROM chaos_claim")
    with database.reading() as session:
        found = session.connection().execute(query)
        return [Claim(**row) for row in found.mappings()]


def tries(database: Database) -> list[Try]:
    """Return every attempt written down."""
    query = text("SELECT webhook_id, claim, owner FROM chaos_attempt")
    with database.reading() as session:
        found = session.connection().execute(query)
        return [Try(**row) for row in found.mappings()]


def under_way(database: Database, owner: str) -> set[tuple[int, int]]:
    """Return (webhook, claim) of what a process claimed, is not done and is waited for.

    A claim that ended and was taken over is no longer under way.
    """
    query = text(
        "SELECT id, claim FROM webhook JOIN chaos_claim ON webhook_id = id"
        " AND new = claim WHERE outcome = 'waiting' AND owner = :owner AND NOT EXISTS"
        " (SELECT 1 FROM chaos_attempt WHERE webhook_id = id"
        " AND chaos_attempt.claim = webhook.claim)"
    )
    with database.reading() as session:
        found = session.connection().execute(query, {"owner": owner})
        return {(row.id, row.claim) for row in found}


def stored_by(database: Database) -> Counter[str]:
    """Count the webhooks that each process stored."""
    query = text("SELECT owner, count(*) AS stored FROM chaos_stored GROUP BY owner")
    with database.reading() as session:
        found = session.connection().execute(query)
        return Counter({row.owner: row.stored for row in found})


def _opened(vault: Vault, webhook_id: int, body: bytes | None) -> str | None:
    if body is None:
        return None
    place = {"table": "webhook_body", "column": "body"}
    return sha256(vault.open(bytes(body), row=webhook_id, **place)).hexdigest()
