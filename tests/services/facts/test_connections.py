"""How a connection stands, as docs/token-states.md says, and the same in SQL."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import col, select

from dashboard.db import Database
from dashboard.models.check import Finding, Source
from dashboard.models.connection import Connection, TokenCause, TokenState
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.facts import connections as facts
from dashboard.services.facts.acting import Act, Who
from dashboard.services.facts.connections import Cause, Shown
from dashboard.services.heartbeats import heartbeats
from dashboard.services.token_states.rules import blocking_error
from dashboard.services.validation import evidence
from dashboard.vault import Vault
from tests.fixtures.token_cases import BLOCKED, CASES, found
from tests.makers import NOON, a_connection, a_zoom_app

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs" / "token-states.md"
NOBODYS = {"too-often", "recall-down", "firewall", "zoom-too-often", "zoom-down"}
MODEL = "dashboard/models/connection.py"
EXCHANGE = "dashboard/services/connect/exchange.py"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def documented() -> dict[str, tuple[str, str, str]]:
    """Return (state, who, next step) by case, as the table has them."""
    rows = [
        [cell.strip() for cell in line.strip("| \n").split("|")]
        for line in DOCS.read_text().splitlines()
        if line.startswith("| `")
    ]
    return {
        row[0].strip("`"): (row[2].strip("`"), row[3], (row[4:] or [""])[0])
        for row in rows
    }


def a_row(state: TokenState, reason: str = "", **over: Any) -> Connection:
    values: dict[str, Any] = {
        "zoom_app_id": uuid4(),
        "token_state": state,
        "token_reason": reason,
        "token_checked_at": NOON,
        "recall_credential_id": uuid4(),
        "connected_at": NOON,
        "due_at": NOON,
    }
    return Connection(**(values | over))


def as_row(case: str) -> Connection:
    finding, block = found(case), "Zoom's words." if case == BLOCKED else ""
    return a_row(
        finding.state,
        finding.reason,
        token_cause=finding.cause,
        recording_block=block,
    )


@pytest.mark.parametrize("case", CASES)
def test_the_document_says_what_the_code_does(case: str) -> None:
    row = as_row(case)
    stands = facts.standing(row, now=NOON)

    assert documented()[case] == (
        row.token_state.value,
        stands.who.value,
        stands.next_step,
    )


def test_the_document_has_every_case_and_no_other() -> None:
    assert set(documented()) == set(CASES)


@pytest.mark.parametrize("case", CASES)
def test_only_what_is_nobodys_leaves_what_was_seen(case: str) -> None:
    assert (blocking_error(CASES[case], now=NOON) is not None) == (case in NOBODYS)


def everything(app: ZoomApp) -> Iterator[Connection]:
    """Every combination of what decides."""
    times = (None, NOON - 2 * DAY, NOON - DAY, NOON - HOUR, NOON + DAY)
    for state, cause, checked_at, ends_at in product(
        TokenState,
        (
            TokenCause.NONE,
            TokenCause.PAIR_REFUSED,
            TokenCause.NO_TOKEN,
            TokenCause.NOT_THE_APP,
        ),
        times,
        (None, NOON, NOON + HOUR),
    ):
        for block in ("", "Zoom's words."):
            yield a_connection(
                app,
                zoom_user_id=uuid4().hex[:20],
                token_state=state,
                token_cause=cause,
                token_checked_at=checked_at,
                token_expires_at=ends_at,
                recording_block=block,
            )


@pytest.mark.usefixtures("real_heartbeats")
@pytest.mark.parametrize("has_worker", [False, True])
@pytest.mark.parametrize("is_along", [False, True])
def test_the_database_finds_the_same_connections(
    database: Database, vault: Vault, *, is_along: bool, has_worker: bool
) -> None:
    fine = a_zoom_app(vault, recall_app_id=uuid4())
    wrong = a_zoom_app(
        vault,
        slug="other",
        client_id="other",
        recall_app_id=uuid4(),
        verdict=Verdict.WRONG,
    )
    doubted = a_zoom_app(
        vault,
        slug="doubted",
        client_id="doubted",
        recall_app_id=uuid4(),
        pair_doubted_at=NOON,
    )
    gone = a_zoom_app(vault, slug="gone", client_id="gone", recall_app_id=uuid4())
    apps = {app.id: app for app in (fine, wrong, doubted, gone)}
    with database.writing() as session:
        session.add_all(apps.values())
        session.flush()
        rows = [row for app in apps.values() for row in everything(app)]
        session.add_all(rows)
        evidence.record(
            session,
            zoom_app_id=gone.id,
            source=Source.RECALL_API,
            finding=Finding.GONE,
            detail="Recall answered 404.",
            at=NOON,
        )
        if has_worker:
            heartbeats.beat(session, "w:1", started_at=NOON, version="1", now=NOON)

    with database.reading() as session:
        read = facts.Reader(session, now=NOON)
        broken = facts.causes(session, now=NOON)
        assert set(broken) == {wrong.id, doubted.id, gone.id}
        shown = [
            (one, shown)
            for shown in Shown
            for one in session.exec(
                select(col(Connection.id)).where(
                    facts.is_shown_as(shown, broken=broken, now=NOON, is_along=is_along)
                )
            )
        ]
        acted = [
            (one, who)
            for who in Who
            for one in session.exec(
                select(col(Connection.id)).where(
                    facts.acted_on_by(
                        who,
                        broken=broken,
                        waits_since=None if has_worker else NOON,
                        is_along=is_along,
                    )
                )
            )
        ]
        known = {row.id: read(row) for row in rows}
    assert sorted(shown) == sorted((one, known[one].shown) for one in known)
    assert sorted(acted) == sorted((one, known[one].who) for one in known)
    assert (Who.OPERATOR in {who for _, who in acted}) is not has_worker


@pytest.mark.parametrize("state", TokenState)
def test_nobody_is_sent_anywhere_while_all_is_well(state: TokenState) -> None:
    stands = facts.standing(a_row(state), now=NOON)

    assert (stands.next_step == "") == (state is TokenState.HEALTHY)


@pytest.mark.parametrize(
    ("checked_at", "ends_at", "word", "valid_until"),
    [
        (NOON - HOUR, None, "Healthy", NOON + 23 * HOUR),
        (NOON - HOUR, NOON + HOUR, "Healthy", NOON + HOUR),
        (NOON - HOUR, NOON - HOUR / 2, "Worked until 11:30 UTC", NOON - HOUR / 2),
        (NOON - 2 * DAY, None, "Last seen healthy", NOON - DAY),
        (NOON + DAY, None, "Last seen healthy", NOON + 2 * DAY),
        (None, None, "Last seen healthy", None),
    ],
    ids=["recent", "token lasts", "token ended", "old", "ahead of us", "never"],
)
def test_a_proof_is_green_only_as_long_as_it_holds(
    checked_at: datetime | None,
    ends_at: datetime | None,
    word: str,
    valid_until: datetime | None,
) -> None:
    row = a_row(
        TokenState.HEALTHY, token_checked_at=checked_at, token_expires_at=ends_at
    )

    stands = facts.standing(row, now=NOON)

    assert (stands.word, stands.valid_until) == (word, valid_until)
    assert (stands.tone == "good") == stands.is_good == (word == "Healthy")


@pytest.mark.parametrize("cause", [facts.NOT_IN_RECALL, facts.GONE_FROM_RECALL])
def test_what_is_wrong_with_the_app_is_an_admins_whatever_was_seen_of_the_user(
    cause: Cause,
) -> None:
    for state in TokenState:
        stands = facts.standing(a_row(state), cause, now=NOON)

        assert stands.who is Who.ADMIN
        assert stands.next_step == cause.next_step
        assert stands.act is Act.ZOOM_APP
        assert stands.tone != "good"


def test_an_unhealthy_credential_is_the_users_only_if_it_is_not_the_app() -> None:
    unhealthy, users = TokenState.UNHEALTHY_IN_RECALL, TokenCause.NOT_THE_APP
    row = a_row(unhealthy, token_since=NOON - HOUR, recall_tried_at=NOON)

    before = facts.standing(row, now=NOON)
    row.note_state(unhealthy, "", evidence="", at=NOON, cause=users)
    after = facts.standing(row, now=NOON)
    row.note_state(TokenState.HEALTHY, "", evidence="", at=NOON)
    row.note_state(unhealthy, "", evidence="", at=NOON + HOUR)
    again = facts.standing(row, now=NOON)

    assert (before.who, before.act) == (Who.YOU, Act.CHECK)
    assert (after.who, after.act) == (Who.USER, Act.RECONNECT)
    assert after.since == before.since == NOON - HOUR
    assert again.who is Who.YOU


def test_since_stays_while_the_state_does() -> None:
    row = a_row(TokenState.HEALTHY)
    unknown = TokenState.UNKNOWN

    for hours, cause in enumerate((TokenCause.NO_TOKEN,) * 3 + (TokenCause.NO_CREDIT,)):
        at = NOON + hours * HOUR
        row.note_state(unknown, "Not known.", evidence="", cause=cause, at=at)
        since = NOON if cause is TokenCause.NO_TOKEN else at
        assert facts.standing(row, now=at).since == since


def test_a_state_is_set_in_one_place() -> None:
    own = r"\.(?:token_state|token_cause|token_since)\b[^=!<>(]*=(?!=)"
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sorted((ROOT / "dashboard").rglob("*.py"))
        for line in path.read_text().splitlines()
        if re.match(rf"\s*\w+{own}", line)
    ]

    assert found == [
        f"{MODEL}: self.token_since = at",
        f"{MODEL}: self.token_since = self.token_checked_at or at",
        f"{MODEL}: self.token_state, self.token_cause = state, cause",
        f"{EXCHANGE}: row.token_since = row.recall_tried_at = None",
    ]
