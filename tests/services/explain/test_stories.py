"""Explain beside the simulated Zoom and Recall: it says what really happened."""

from datetime import timedelta
from typing import Any

import pytest

from dashboard.models.connection import Connection, SyncStatus
from dashboard.models.webhook import Outcome
from dashboard.models.zoom_app import ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.audit import Actor
from dashboard.services.bot_tests import runs
from dashboard.services.connections import actions, check, listing
from dashboard.services.connections.listing import Filters
from dashboard.services.explain import explain as explaining
from dashboard.services.explain.explain import Answer
from dashboard.services.explain.verdicts import Heard
from dashboard.services.recall import workspaces
from dashboard.services.runtime import Runtime
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.makers import a_webhook

ADMIN = Actor(name="admin@example.com")


@pytest.fixture
def stage(runtime: Runtime, sandbox: RunningSandbox) -> ConnectStage:
    return a_connect_stage(runtime, sandbox)


def explain(stage: ConnectStage, text: object) -> Answer:
    runtime = stage.runtime
    with runtime.database.reading() as session:
        return explaining.explain(
            session, runtime.vault, str(text), now=runtime.clock.now()
        )


def looked_at(stage: ConnectStage, row: Connection) -> Connection:
    """Have Recall read the meetings, then look."""
    actions.sync_meetings(stage.runtime, row.id, actor=ADMIN)
    stage.sandbox.sync_meetings()
    stage.sandbox.sync_meetings()
    return check.now(stage.runtime, row.id)


def heard(stage: ConnectStage, **over: Any) -> None:
    with stage.runtime.database.writing() as session:
        session.add(a_webhook(stage.app, **over))


def asked(stage: ConnectStage, found: Answer) -> list[str]:
    told = explaining.ask_recall(
        stage.runtime,
        meeting_id=found.asked.number,
        connection_id=found.connection_id,
    )
    return [line.words for line in told.lines]


@pytest.mark.parametrize("asked_as", ["cem.demir@example.com", "CEM.Demir@example.COM"])
def test_a_user_whose_email_zoom_spells_with_capitals_is_found(
    stage: ConnectStage, asked_as: str
) -> None:
    cem = stage.sandbox.zoom_world.add_user(email="Cem.Demir@Example.com")
    row = stage.connect(cem)
    filters = Filters(search=asked_as)

    with stage.runtime.database.reading() as session:
        listed = listing.page(session, filters, limit=10)

    assert [one.id for one in listed.rows] == [row.id]
    assert explain(stage, asked_as).connection_id == row.id


def test_a_mapped_meeting_had_its_token_and_recall_says_so_itself(
    stage: ConnectStage,
) -> None:
    row = stage.connect()
    meeting = stage.sandbox.zoom_world.create_meeting(stage.ana.id)
    looked_at(stage, row)

    found = explain(stage, meeting.join_url)

    assert found.verdict.id == "ready"
    mapping, bots, log = asked(stage, found)
    assert "links meeting" in mapping
    assert "to Ana Nowak; asked just now." in mapping
    assert str(row.recall_credential_id) not in mapping
    assert bots.endswith("lists no bot at Zoom. Asked just now.")
    assert log == "Recall's log of the credential is empty."


def test_a_meeting_made_with_a_second_account_is_not_taken_for_the_users(
    stage: ConnectStage,
) -> None:
    stage.connect()
    work = stage.sandbox.zoom_world.add_user(email="ana@work.example.com")
    meeting = stage.sandbox.zoom_world.create_meeting(work.id)
    heard(stage, zoom_user_id=work.id, meeting_id=meeting.id)

    found = explain(stage, f"ana@example.com {meeting.id}")

    assert found.verdict.id == "other-account"
    told, _ = asked(stage, found)
    assert "to no one" in told


def test_a_development_app_uninstalled_is_seen_though_recall_says_healthy(
    stage: ConnectStage,
) -> None:
    row = stage.connect()
    stage.sandbox.zoom_world.uninstall(stage.app.client_id, stage.ana.id)
    check.now(stage.runtime, row.id)

    found = explain(stage, "ana@example.com")

    assert found.verdict.id == "dead"
    assert any("Zoom rejected an API call" in line.words for line in found.lines)


def test_an_outage_is_nobodys_fault_and_says_when_the_next_look_is(
    stage: ConnectStage,
) -> None:
    # Recall takes the code and answers nothing after that.
    stage.sandbox.recall_faults.set([Fault(kind=FaultKind.UNAVAILABLE, method="GET")])
    row = stage.connect()

    found = explain(stage, row.recall_credential_id)

    assert (found.verdict.id, found.verdict.who.value) == ("state-unknown", "nobody")
    assert "could not be read" in " ".join(asked(stage, found))


def test_what_recall_itself_says_changes_the_answer(stage: ConnectStage) -> None:
    runtime, number = stage.runtime, 93333333333
    row = stage.connect()
    with runtime.database.writing() as session:
        synced = session.get_one(Connection, row.id)
        synced.sync_status = SyncStatus.COMPLETED
    heard(
        stage,
        meeting_id=number,
        zoom_user_id=row.zoom_user_id,
        outcome=Outcome.DELIVERED,
        delivered_at=runtime.clock.now() - timedelta(minutes=1),
    )

    def verdict(of: Heard | None) -> str:
        with runtime.database.reading() as session:
            now = runtime.clock.now()
            found = explaining.explain(
                session, runtime.vault, str(number), heard=of, now=now
            )
        return found.verdict.id

    stored = verdict(None)
    said = explaining.ask_recall(runtime, meeting_id=number, connection_id=row.id)
    now = runtime.clock.now()
    mapped = Heard(at=now, connection_id=row.id, synced_at=now)

    assert said.heard is not None
    assert said.heard.connection_id is None
    assert stored != "ready"
    assert verdict(said.heard) == "not-mapped"
    assert verdict(mapped) != "not-mapped"
    assert "Recall linked" in " ".join(lines_of(stage, str(number), mapped))


def lines_of(stage: ConnectStage, text: str, of: Heard) -> list[str]:
    runtime = stage.runtime
    with runtime.database.reading() as session:
        now = runtime.clock.now()
        found = explaining.explain(session, runtime.vault, text, heard=of, now=now)
    return [line.words for line in found.lines]


def a_bot_in(stage: ConnectStage, number: int, outcome: str) -> None:
    """Let the customer's own software send a bot; the dashboard knows nothing of it."""
    stage.sandbox.recall_world.set_switches({"bots": outcome})
    with stage.runtime.database.reading() as session:
        app = session.get_one(ZoomApp, stage.app.id)
        recall, _ = workspaces.recall_of(stage.runtime, session, app)
    link = f"https://example.zoom.us/j/{number}?pwd=abc"
    recall.create_bot(link, name="Notetaker", idempotency_key=link)
    stage.sandbox.clock.advance(60)


@pytest.mark.parametrize(
    ("outcome", "verdict", "words"),
    [
        ("meeting_requires_sign_in", "bot-refused", "Only people signed in to Zoom"),
        ("automated bots", "bot-refused", "does not let automated bots join"),
        ("zoom_requires_rtms", "bot-refused", "real-time media streams only"),
        ("zoom_obf_user_not_in_meeting", "bot-refused", "on behalf of a user"),
        ("timeout_exceeded_waiting_room", "bot-refused", "until its time was up"),
        ("waiting", "bot-refused", "in the waiting room"),
        ("zoom_host_not_present", "bot-without-token", "no join token was used"),
        ("records", "bot-recorded", "A bot was allowed to record"),
    ],
)
def test_a_bot_of_the_customer_is_seen_when_recall_is_asked(
    stage: ConnectStage, outcome: str, verdict: str, words: str
) -> None:
    row = stage.connect()
    meeting = stage.sandbox.zoom_world.create_meeting(stage.ana.id)
    other = stage.sandbox.zoom_world.create_meeting(stage.ana.id)
    looked_at(stage, row)
    a_bot_in(stage, meeting.id, outcome)

    before = explain(stage, meeting.id)
    said = explaining.ask_recall(
        stage.runtime, meeting_id=meeting.id, connection_id=row.id
    )
    elsewhere = explaining.ask_recall(
        stage.runtime, meeting_id=other.id, connection_id=row.id
    )
    with stage.runtime.database.reading() as session:
        found = explaining.explain(
            session,
            stage.runtime.vault,
            str(meeting.id),
            heard=said.heard,
            bot=said.bot,
            now=stage.runtime.clock.now(),
        )

    assert before.verdict.id == "ready"
    assert found.verdict.id == verdict
    assert words in found.verdict.sentence
    assert any(line.words.startswith("A bot: ") for line in found.lines)
    assert elsewhere.bot is None
    assert any(
        "of none of the bot that it lists" in line.words for line in elsewhere.lines
    )


def test_a_test_bot_counts_before_recall_is_asked(stage: ConnectStage) -> None:
    row = stage.connect()
    meeting = stage.sandbox.zoom_world.create_meeting(stage.ana.id)
    looked_at(stage, row)
    stage.sandbox.recall_world.set_switches({"bots": "zoom_requires_rtms"})
    runs.begin(stage.runtime, stage.app.id, str(meeting.id), actor=ADMIN)
    for _ in range(3):
        stage.sandbox.clock.advance(5)
        stage.runtime.clock.advance(seconds=5)  # type: ignore[attr-defined]
        runs.run_due(stage.runtime)

    assert explain(stage, meeting.id).verdict.id == "bot-refused"
