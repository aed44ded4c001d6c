"""Whatever goes wrong in the writer's thread: it lives, and nobody waits for long."""

import threading
from typing import Any
from uuid import uuid4

import pytest
from sqlmodel import select

from dashboard.db import Database
from dashboard.errors import StorageError
from dashboard.models.webhook import RefusalCount, Webhook
from dashboard.services.receiver.keyring import AppCredentials
from dashboard.services.receiver.writer import WebhookWriter
from dashboard.settings import Settings
from dashboard.vault import Vault
from tests.fixtures.receiver import limits, received, refused, writer, zoom_app

__all__ = ["limits", "writer", "zoom_app"]


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
