"""Zoom's own log: what failed is stored once, and never more than was seen."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from dashboard.app import chores
from dashboard.errors import ConflictError, InvalidInputError
from dashboard.models.audit import AuditEntry
from dashboard.models.check import Finding, Source
from dashboard.models.delivery_log import DeliveryLog, FailedDelivery
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.sandbox.zoom.records import Attempt, ZoomUser
from dashboard.services import audit
from dashboard.services.erasure import local_data
from dashboard.services.erasure.redaction import Person
from dashboard.services.marketplace import delivery_log
from dashboard.services.marketplace.delivery_log import AutomaticReading, Page, State
from dashboard.services.retention import pruning
from dashboard.services.runtime import Runtime
from dashboard.services.validation import evidence
from tests.fixtures.subscriptions import SubscriptionStage, a_subscription_stage
from tests.makers import NOON, FakeClock

ACTOR = audit.Actor(name="admin@example.com")
PATH = "/v2/marketplace/apps/"
PAGE = "<html><body>502 Bad Gateway</body></html>"


class LogStage:
    """A connected app whose deliveries a test decides on."""

    def __init__(self, stage: SubscriptionStage) -> None:
        self.stage, self.runtime = stage, stage.runtime
        self.world = stage.sandbox.zoom_world
        self.ana: ZoomUser = stage.connect()
        with self.world.state.lock:
            app = self.world.state.app(stage.at_zoom.client_id)
            app.webhook_url, app.validated_at = stage.url, NOON
            app.events = ["meeting.created"]
        self.save(stage.at_zoom.app_id)

    def save(self, typed: str) -> None:
        delivery_log.save_app_id(
            self.runtime.database,
            self.stage.app_id,
            typed,
            actor=ACTOR,
            now=self.runtime.clock.now(),
        )

    def read(self) -> State:
        return delivery_log.read(self.runtime, self.stage.app_id, actor=ACTOR)

    def page(self) -> Page:
        with self.runtime.database.reading() as session:
            now = self.runtime.clock.now()
            return delivery_log.page(session, self.stage.app_id, now=now)

    def answered(self, *, arrives: bool = False, **answer: Any) -> int:
        """Let Zoom send an event that is answered so; return the meeting's number."""
        meeting = self.world.create_meeting(self.ana.id)
        if arrives:
            self.world.deliver_due()
        with self.world.state.lock:
            delivery = self.world.state.deliveries[-1]
            at = self.runtime.clock.now()
            delivery.attempts.insert(0, Attempt(at=at, timestamp="1", **answer))
            delivery.due_at = None
            self.world.state.pending.pop(delivery.id, None)
        return meeting.id

    def rows(self) -> list[FailedDelivery]:
        with self.runtime.database.reading() as session:
            return list(session.exec(select(FailedDelivery)).all())


@pytest.fixture
def stage(runtime: Runtime, sandbox: RunningSandbox) -> Iterator[LogStage]:
    # Nothing of the simulated Zoom is sent but what a test says.
    sandbox.zoom_world.switch(late_s=3600)
    with a_subscription_stage(runtime, sandbox) as made:
        yield LogStage(made)


def test_an_answer_of_something_before_us_is_said_to_be_that(stage: LogStage) -> None:
    number = stage.answered(status=502, answer=PAGE)

    assert stage.read() is State.READ

    (found,) = stage.page().failed
    assert found.fact.sentence == (
        "Zoom sent meeting.created at 2026-11-23 12:00 UTC, and 127.0.0.1 answered 502 "
        "with a web page."
    )
    assert found.fact.reason == (
        "The dashboard answers Zoom with no page, so something before it did. Nothing "
        "like it has arrived here. Zoom tries again, for 85 minutes."
    )
    assert found.fact.who == "operator"
    assert (found.row.meeting_id, found.row.zoom_user_id) == (number, stage.ana.id)


def test_reading_again_stores_nothing_twice(
    stage: LogStage,
) -> None:
    stage.answered(status=503, answer="Service Unavailable\n")
    stage.answered(status=200)
    stage.read()

    assert stage.read() is State.READ

    log = stage.page().log
    assert log is not None
    assert len(stage.rows()) == 1
    since = stage.runtime.clock.now() - timedelta(days=1)
    assert (log.failed, log.since) == (1, since)


def test_what_arrived_after_all_is_found_by_its_content(stage: LogStage) -> None:
    stage.world.switch(late_s=0)
    stage.answered(arrives=True, status=502, answer=PAGE)

    stage.read()

    (found,) = stage.page().failed
    assert found.arrived is not None
    assert found.fact.word == "Arrived later"
    assert found.fact.next_step == ""


def test_tries_to_other_urls_and_of_other_days_are_no_business_of_ours(
    stage: LogStage,
) -> None:
    stage.answered(status=502)
    with stage.world.state.lock:
        stage.world.state.deliveries[-1].url = "https://elsewhere.example.com/hook"

    stage.read()

    log = stage.page().log
    assert log is not None
    assert (log.failed, stage.rows()) == (0, [])


@pytest.mark.parametrize("form", ["plain", "odd"])
def test_a_failure_without_an_answer_is_named_by_zooms_number(
    stage: LogStage, form: str
) -> None:
    stage.world.switch(webhook_log=form)
    stage.answered(error="ConnectError")
    stage.answered(status=200)

    stage.read()

    (row,) = stage.rows()
    assert (row.status, row.code) == (None, 2)
    (found,) = stage.page().failed
    assert "127.0.0.1 refused the connection" in found.fact.sentence


def test_several_tries_of_one_minute_and_one_trace_are_all_stored(
    stage: LogStage,
) -> None:
    stage.world.switch(webhook_log="odd")
    for status in (502, 503):
        stage.answered(status=status)

    stage.read()

    assert sorted(row.status or 0 for row in stage.rows()) == [502, 503]


def automatic(stage: LogStage) -> tuple[int, AutomaticReading]:
    reading = AutomaticReading(stage.runtime)
    begun = reading()
    reading.wait(20)
    return begun, reading


def acts(stage: LogStage) -> list[str]:
    with stage.runtime.database.reading() as session:
        found = session.exec(select(AuditEntry.act).order_by(col(AuditEntry.id)))
        return list(found.all())


def test_the_worker_reads_it_while_the_validation_is_not_proven(
    stage: LogStage,
) -> None:
    stage.answered(status=502, answer=PAGE)

    begun, _ = automatic(stage)

    assert begun == 1
    (found,) = stage.page().failed
    assert "answered 502 with a web page" in found.fact.sentence
    assert "delivery_log.read" not in acts(stage)


def test_the_worker_reads_it_once_an_hour_at_most(
    stage: LogStage, clock: FakeClock
) -> None:
    _, reading = automatic(stage)
    clock.advance(minutes=59)
    too_soon = reading()
    clock.advance(minutes=2)
    again = reading()
    reading.wait(20)

    assert (too_soon, again) == (0, 1)


def validated(stage: LogStage) -> None:
    with stage.runtime.database.writing() as session:
        evidence.record(
            session,
            zoom_app_id=stage.stage.app_id,
            source=Source.ZOOM_CHALLENGE,
            finding=Finding.GOOD,
            detail="Zoom's validation request was answered.",
            at=stage.runtime.clock.now(),
        )


def refused(stage: LogStage) -> None:
    stage.stage.at_zoom.own_scopes = []
    assert stage.read() is State.REFUSED
    stage.runtime.clock.advance(hours=2)  # type: ignore[attr-defined]  # a FakeClock


def without_id(stage: LogStage) -> None:
    stage.save("")


def retired(stage: LogStage) -> None:
    with stage.runtime.database.writing() as session:
        session.get_one(ZoomApp, stage.stage.app_id).retired_at = NOON


@pytest.mark.parametrize("made", [validated, refused, without_id, retired])
def test_the_worker_does_not_read_it_where_nothing_would_come_of_it(
    stage: LogStage, made: Callable[[LogStage], None]
) -> None:
    made(stage)

    assert automatic(stage)[0] == 0


def test_with_direct_routing_it_is_the_way_to_recall_that_counts(
    stage: LogStage,
) -> None:
    validated(stage)
    with stage.runtime.database.writing() as session:
        session.get_one(ZoomApp, stage.stage.app_id).routing = Routing.DIRECT

    assert automatic(stage)[0] == 1


def test_it_is_among_the_workers_chores(runtime: Runtime) -> None:
    assert any(isinstance(one, AutomaticReading) for one in chores(runtime))


def test_no_part_of_a_body_is_stored(stage: LogStage) -> None:
    stage.answered(status=502, answer="<html>secret-of-the-proxy</html>")

    stage.read()

    (row,) = stage.rows()
    written = repr(row.model_dump())
    for private in ("ana@example.com", "abc123", "secret-of-the-proxy", "Weekly"):
        assert private not in written


@pytest.mark.parametrize(
    ("fault", "state", "said"),
    [
        (FaultKind.SLOW, State.READ, ""),
        (FaultKind.UNAVAILABLE, State.UNREACHABLE, "What is known here stays."),
        (FaultKind.DOWN, State.UNREACHABLE, "What is known here stays."),
        (FaultKind.PAGE, State.REFUSED, "web page"),
        (FaultKind.NONSENSE, State.READ, ""),
        (FaultKind.FORBIDDEN, State.REFUSED, "What is known here stays."),
    ],
)
def test_whatever_zoom_answers_the_page_keeps_what_is_known(
    stage: LogStage, fault: FaultKind, state: State, said: str
) -> None:
    stage.answered(status=502, answer=PAGE)
    stage.read()
    before = stage.runtime.clock.now()
    stage.runtime.clock.advance(minutes=1)  # type: ignore[attr-defined]  # a FakeClock
    faults = [Fault(kind=fault, path=PATH, seconds=0.05)]
    stage.stage.sandbox.zoom_faults.set(faults)

    assert stage.read() is state

    page = stage.page()
    assert page.log is not None
    assert said in page.log.reason
    assert len(page.failed) == 1
    is_read = state is State.READ
    assert page.log.read_at == (stage.runtime.clock.now() if is_read else before)


def test_a_missing_scope_is_said_and_the_pair_is_proved_all_the_same(
    stage: LogStage,
) -> None:
    stage.stage.at_zoom.own_scopes = []

    assert stage.read() is State.REFUSED

    page = stage.page()
    assert page.log is not None
    assert page.log.reason.startswith("The app's own token may not read its delivery")
    assert page.app.verdict is Verdict.RIGHT


def test_without_a_token_of_its_own_nothing_is_read(stage: LogStage) -> None:
    stage.world.switch(client_credentials=False)

    assert stage.read() is State.REFUSED


def test_without_zooms_app_id_nothing_is_asked(stage: LogStage) -> None:
    stage.save("")

    with pytest.raises(ConflictError, match="Zoom's app ID is not known yet"):
        stage.read()


def test_two_do_not_read_at_once_and_one_left_reading_ends(stage: LogStage) -> None:
    stage.read()
    with stage.runtime.database.writing() as session:
        row = session.get_one(DeliveryLog, stage.stage.app_id)
        row.state = State.ASKING
        session.add(row)

    with pytest.raises(ConflictError, match="being read"):
        stage.read()

    stage.runtime.clock.advance(minutes=3)  # type: ignore[attr-defined]  # a FakeClock
    assert stage.read() is State.READ


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        (" n4C4AvnpSm6Jg9JSV0bgww ", "n4C4AvnpSm6Jg9JSV0bgww"),
        (
            "https://marketplace.zoom.us/develop/apps/n4C4_Avn-x/scopes?a=b",
            "n4C4_Avn-x",
        ),
        (
            "https://marketplace.zoom.us/develop/applications/n4C4_Avn-x/test?mode=dev",
            "n4C4_Avn-x",
        ),
        ("", None),
    ],
)
def test_the_app_id_is_taken_from_the_consoles_address_too(
    stage: LogStage, typed: str, stored: str | None
) -> None:
    stage.save(typed)

    assert stage.page().app.marketplace_app_id == stored


@pytest.mark.parametrize(
    "typed", ["../manifest", "a b c d", "x" * 65, "https://example.com/", "<b>bold</b>"]
)
def test_what_is_no_app_id_is_refused_and_the_stored_one_stays(
    stage: LogStage, typed: str
) -> None:
    before = stage.page().app.marketplace_app_id

    with pytest.raises(InvalidInputError, match="Nothing was saved"):
        stage.save(typed)

    assert stage.page().app.marketplace_app_id == before


def test_who_leaves_is_not_left_in_it(stage: LogStage) -> None:
    stage.answered(status=502)
    stage.read()
    person = Person(
        zoom_app_id=stage.stage.app_id,
        connection_id=None,
        user_ids=frozenset({stage.ana.id}),
        account_id=None,
        emails=frozenset(),
        names=frozenset(),
        numbers=frozenset(),
    )

    local_data.erase(
        stage.runtime.database,
        stage.runtime.vault,
        person,
        removed_at=NOON + timedelta(days=1),
        is_first=True,
        is_last_call=False,
        now=NOON + timedelta(days=1),
    )

    assert stage.rows() == []


def test_retention_ends_it(stage: LogStage) -> None:
    stage.answered(status=502)
    stage.read()

    with stage.runtime.database.writing() as session:
        pruning.prune_evidence(session, cutoff=NOON - timedelta(days=1), limit=100)
    assert len(stage.rows()) == 1

    with stage.runtime.database.writing() as session:
        pruning.prune_evidence(session, cutoff=NOON + timedelta(days=1), limit=100)
    assert stage.rows() == []


def test_each_reading_is_in_the_audit_log(stage: LogStage) -> None:
    stage.read()

    assert acts(stage) == ["zoom_app.marketplace_id", "delivery_log.read"]
