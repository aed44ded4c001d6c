import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, func, select

from dashboard.db import Database
from dashboard.errors import StorageError
from dashboard.models.check import Check, Finding, Source
from dashboard.models.webhook import (
    Arrival,
    Outcome,
    RefusalCount,
    Webhook,
    WebhookBody,
)
from dashboard.models.zoom_app import Routing
from dashboard.services.receiver.batches import WebhookBatches
from dashboard.services.receiver.keyring import AppCredentials
from dashboard.services.receiver.writer import WebhookWriter
from dashboard.settings import Settings
from dashboard.vault import Vault
from tests.fixtures.receiver import (
    BODY,
    CHALLENGE,
    limits,
    received,
    refused,
    writer,
    zoom_app,
)
from tests.makers import NOON, FakeClock, saved_app

__all__ = ["limits", "writer", "zoom_app"]


def test_an_accepted_webhook_is_on_disk_sealed_and_waiting(
    writer: WebhookWriter, zoom_app: AppCredentials, database: Database, vault: Vault
) -> None:
    accepted = writer.accept(received(zoom_app))

    with database.reading() as session:
        webhook = session.get_one(Webhook, accepted.webhook_id)
        sealed = session.get_one(WebhookBody, accepted.webhook_id)
    place = {"table": "webhook_body", "row": webhook.id}
    headers = vault.open(sealed.headers, column="headers", **place)  # type: ignore[arg-type]  # values by name
    assert vault.open(sealed.body, column="body", **place) == BODY  # type: ignore[arg-type]  # as above
    assert json.loads(headers) == [["x-zm-signature", "v0=ab"], ["user-agent", "Zoom"]]
    assert webhook.outcome is Outcome.WAITING
    assert (webhook.due_at, webhook.meeting_id) == (NOON, 91234567890)
    assert BODY not in sealed.body


def test_a_repeat_is_counted_and_stored_once(
    writer: WebhookWriter, zoom_app: AppCredentials, database: Database
) -> None:
    first = writer.accept(received(zoom_app))
    again = writer.accept(received(zoom_app, received_at=NOON + timedelta(minutes=5)))

    with database.reading() as session:
        webhook = session.get_one(Webhook, first.webhook_id)
        arrival = session.exec(select(Arrival)).one()
    assert (first.is_repeat, again.is_repeat) == (False, True)
    assert again.webhook_id == first.webhook_id == arrival.webhook_id
    assert webhook.arrivals == 2
    assert arrival.received_at == NOON + timedelta(minutes=5)


def test_many_at_once_are_each_stored_once_whatever_the_batch(
    writer: WebhookWriter, zoom_app: AppCredentials, database: Database
) -> None:
    bodies = [b'{"event":"e","event_ts":%d}' % (n % 20) for n in range(100)]

    with ThreadPoolExecutor(16) as pool:
        accepted = list(
            pool.map(lambda b: writer.accept(received(zoom_app, b)), bodies)
        )

    with database.reading() as session:
        webhooks = session.exec(select(Webhook)).all()
        arrivals = session.exec(select(func.count(col(Arrival.id)))).one()
    assert len(webhooks) == len({each.webhook_id for each in accepted}) == 20
    assert sum(not each.is_repeat for each in accepted) == 20
    assert sum(webhook.arrivals for webhook in webhooks) == 100
    assert arrivals == 80


def test_two_processes_with_the_same_webhook_make_one(
    database: Database, vault: Vault, limits: Settings, zoom_app: AppCredentials
) -> None:
    clock: Any = FakeClock()
    pair = [WebhookWriter(database, vault, clock, limits) for _ in range(2)]
    bodies = [b'{"event":"e","event_ts":%d}' % n for n in range(40) for _ in "ab"]

    with ThreadPoolExecutor(8) as pool:
        accepted = list(
            pool.map(
                lambda n: pair[n % 2].accept(received(zoom_app, bodies[n])),
                range(len(bodies)),
            )
        )

    for each in pair:
        each.close()
    assert len({each.webhook_id for each in accepted}) == 40
    with database.reading() as session:
        assert len(session.exec(select(Webhook)).all()) == 40


def test_an_id_that_is_taken_is_no_repeat(
    zoom_app: AppCredentials, database: Database, vault: Vault
) -> None:
    arrivals = WebhookBatches(database, vault)
    first = arrivals.prepare(received(zoom_app, b'{"event":"a"}'), int)
    second = arrivals.prepare(received(zoom_app, b'{"event":"b"}'), int)
    second.webhook[0] = first.webhook[0]

    with pytest.raises(IntegrityError), database.writing_fast() as connection:
        arrivals.record(connection, [first, second], noted={})

    with database.reading() as session:
        assert session.exec(select(Webhook)).all() == []


def test_a_race_lost_to_another_process_is_settled_by_looking_again(
    writer: WebhookWriter,
    zoom_app: AppCredentials,
    database: Database,
    vault: Vault,
    limits: Settings,
) -> None:
    first = writer.accept(received(zoom_app))
    lost = iter([IntegrityError("INSERT", {}, ValueError("unique"))])

    class Raced:
        """The database, in which another process is faster once."""

        writer = database.writer

        def writing_fast(self) -> Any:
            for error in lost:
                raise error
            return database.writing_fast()

    raced: Any = Raced()
    other = WebhookWriter(raced, vault, writer.clock, limits)
    accepted = other.accept(received(zoom_app))
    other.close()

    assert accepted.is_repeat
    assert accepted.webhook_id == first.webhook_id


def test_a_webhook_the_database_will_not_have_fails_alone(
    writer: WebhookWriter, zoom_app: AppCredentials, database: Database
) -> None:
    gone = AppCredentials(
        id=uuid4(),
        routing=Routing.RELAY,
        secrets=zoom_app.secrets,
        has_recall_app=True,
        version=1,
    )
    held = threading.Event()
    failures: list[StorageError] = []

    def post(whose: AppCredentials, body: bytes) -> None:
        held.wait()
        try:
            writer.accept(received(whose, body))
        except StorageError as error:
            failures.append(error)

    threads = [
        threading.Thread(
            target=post, args=(gone if n == 3 else zoom_app, b'{"n":%d}' % n)
        )
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    held.set()
    for thread in threads:
        thread.join()

    assert len(failures) == 1
    with database.reading() as session:
        assert len(session.exec(select(Webhook)).all()) == 7


def test_with_direct_routing_a_webhook_is_kept_and_not_owed(
    writer: WebhookWriter, database: Database, vault: Vault
) -> None:
    with database.writing() as session:
        app_id = saved_app(session, vault, routing=Routing.DIRECT)
    zoom_app = writer.keyring.find(app_id)
    assert zoom_app is not None

    accepted = writer.accept(received(zoom_app))

    with database.reading() as session:
        webhook = session.get_one(Webhook, accepted.webhook_id)
    assert webhook.outcome is Outcome.KEPT
    assert "direct" in webhook.outcome_reason


def test_without_a_recall_app_the_row_says_what_it_waits_for(
    writer: WebhookWriter, database: Database, vault: Vault
) -> None:
    with database.writing() as session:
        app_id = saved_app(session, vault, recall_app_id=None)
    zoom_app = writer.keyring.find(app_id)
    assert zoom_app is not None

    accepted = writer.accept(received(zoom_app))

    with database.reading() as session:
        webhook = session.get_one(Webhook, accepted.webhook_id)
    assert webhook.outcome is Outcome.WAITING
    assert "not in Recall yet" in webhook.outcome_reason


def test_a_challenge_is_evidence_each_time_and_an_event_once_a_minute(
    writer: WebhookWriter, zoom_app: AppCredentials, database: Database
) -> None:
    for _ in range(2):
        fresh = int(NOON.timestamp())
        writer.accept(received(zoom_app, CHALLENGE, sent_at_s=fresh))
    for seconds in (0, 30, 61):
        body = b'{"event":"e","event_ts":%d}' % seconds
        at = NOON + timedelta(seconds=seconds)
        writer.accept(received(zoom_app, body, received_at=at))

    with database.reading() as session:
        sources = session.exec(select(Check.source)).all()
        findings = session.exec(select(Check.finding)).all()
    assert sources.count(Source.ZOOM_CHALLENGE) == 2
    assert sources.count(Source.ZOOM_EVENT) == 2
    assert set(findings) == {Finding.GOOD}


def test_a_database_that_is_away_is_a_storage_error_and_nothing_hangs(
    vault: Vault, clock: FakeClock, limits: Settings, zoom_app: AppCredentials
) -> None:
    away = Database("sqlite:////nowhere/at/all.db")
    away.lock = lambda: None  # type: ignore[method-assign]  # its file has no folder
    clock_: Any = clock
    writer = WebhookWriter(away, vault, clock_, limits)

    with pytest.raises(StorageError, match="Nothing was"):
        writer.accept(received(zoom_app))

    writer.close()
    away.close()


def test_a_closed_intake_accepts_nothing(
    writer: WebhookWriter, zoom_app: AppCredentials
) -> None:
    writer.accept(received(zoom_app))
    writer.close()

    with pytest.raises(StorageError, match="stopping"):
        writer.accept(received(zoom_app, b'{"n":2}'))


def test_listeners_are_told_after_the_commit(
    writer: WebhookWriter, zoom_app: AppCredentials, database: Database
) -> None:
    seen: list[int] = []

    def look() -> None:
        with database.reading() as session:
            seen.append(len(session.exec(select(Webhook)).all()))

    stop = writer.listen(look)
    writer.accept(received(zoom_app))
    writer.flush()
    stop()
    writer.accept(received(zoom_app, b'{"n":2}'))
    writer.flush()

    assert seen == [1]


class Failing:
    """The database, with errors for the first writings."""

    def __init__(self, database: Database, *errors: Exception) -> None:
        self._database = database
        self._errors = list(errors)
        self.writer = database.writer

    def writing(self) -> Any:
        self._fail()
        return self._database.writing()

    def writing_fast(self) -> Any:
        self._fail()
        return self._database.writing_fast()

    def _fail(self) -> None:
        if self._errors:
            raise self._errors.pop(0)


def failing(
    writer: WebhookWriter,
    database: Database,
    vault: Vault,
    limits: Settings,
    *errors: Any,
) -> WebhookWriter:
    over: Any = Failing(database, *errors)
    return WebhookWriter(over, vault, writer.clock, limits)


def thread_of(writer: WebhookWriter) -> threading.Thread:
    assert writer._thread is not None
    return writer._thread


def stored(database: Database) -> int:
    with database.reading() as session:
        return len(session.exec(select(Webhook)).all())


def test_an_error_nobody_thought_of_is_told_and_ends_no_thread(
    writer: WebhookWriter,
    zoom_app: AppCredentials,
    database: Database,
    vault: Vault,
    limits: Settings,
) -> None:
    other = failing(writer, database, vault, limits, RuntimeError("odd"))

    with pytest.raises(StorageError, match="Nothing was stored: RuntimeError"):
        other.accept(received(zoom_app))
    thread = thread_of(other)
    other.accept(received(zoom_app))

    assert thread_of(other) is thread
    assert stored(database) == 1
    other.close()


def test_a_repeat_whose_row_was_removed_meanwhile_is_stored_anew(
    writer: WebhookWriter,
    zoom_app: AppCredentials,
    database: Database,
    vault: Vault,
    limits: Settings,
) -> None:
    # Its dedupe key was in the way, and a moment later is not to be found.
    other = failing(writer, database, vault, limits, KeyError(b"dedupe"))

    accepted = other.accept(received(zoom_app))

    assert not accepted.is_repeat
    assert stored(database) == 1
    other.close()


def test_a_listener_that_fails_ends_no_thread(
    writer: WebhookWriter, zoom_app: AppCredentials, database: Database
) -> None:
    def fail() -> None:
        raise ValueError("odd")

    writer.listen(fail)
    writer.accept(received(zoom_app, b'{"n":1}'))
    thread = thread_of(writer)
    writer.accept(received(zoom_app, b'{"n":2}'))
    writer.flush()

    assert thread_of(writer) is thread
    assert thread.is_alive()
    assert stored(database) == 2


def test_refusals_that_cannot_be_written_hold_nobody_up(
    writer: WebhookWriter,
    zoom_app: AppCredentials,
    database: Database,
    vault: Vault,
    limits: Settings,
) -> None:
    other = failing(writer, database, vault, limits, RuntimeError("odd"))

    other.refuse(refused(uuid4()))
    other.flush()
    thread = thread_of(other)
    other.accept(received(zoom_app))
    other.refuse(refused(zoom_app.id))
    other.flush()

    assert thread_of(other) is thread
    with database.reading() as session:
        assert len(session.exec(select(RefusalCount)).all()) == 1
    other.close()
