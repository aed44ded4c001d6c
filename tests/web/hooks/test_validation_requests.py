"""What becomes of Zoom's challenges is evidence: right, late, out of time."""

import time
from datetime import timedelta

import pytest

from dashboard.models.check import Check, Finding, Source
from dashboard.models.webhook import Webhook
from dashboard.services.receiver.signatures import Cause
from tests.fixtures.hooks import HooksClient, door, event
from tests.fixtures.receiver import CHALLENGE, received, refused
from tests.makers import NOON
from tests.services.receiver.test_signatures import C1_BODY

__all__ = ["door"]


def findings(door: HooksClient) -> list[tuple[Source, Finding]]:
    return [(check.source, check.finding) for check in door.stored(Check)]


@pytest.mark.parametrize(
    ("took_s", "finding", "words"),
    [
        (0.1, Finding.GOOD, "was answered"),
        (3.4, Finding.FAILED, "we took 3.4 s to answer"),
    ],
)
def test_an_answer_that_zoom_no_longer_waited_for_is_a_failure(
    door: HooksClient, took_s: float, finding: Finding, words: str
) -> None:
    app = door.writer.keyring.find(door.app_id)
    assert app is not None

    door.writer.accept(received(app, CHALLENGE, began=time.perf_counter() - took_s))

    (check,) = door.stored(Check)
    assert check.finding is finding
    assert words in check.detail


def test_one_ahead_of_the_clock_is_asked_for_again_as_the_clocks_fault(
    door: HooksClient,
) -> None:
    sent_at = NOON + timedelta(minutes=10)

    answer = door.post(C1_BODY, timestamp=str(int(sent_at.timestamp())))

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert findings(door) == [(Source.ZOOM_CHALLENGE, Finding.FAILED)]
    detail = door.stored(Check)[0].detail
    assert "10 minutes ahead of this server's clock" in detail
    assert "sets its clock (NTP). Zoom was asked to retry (503)." in detail
    assert door.stored(Webhook) == []


@pytest.mark.parametrize("age", [timedelta(minutes=10), timedelta(days=6)])
def test_a_late_one_is_answered(door: HooksClient, age: timedelta) -> None:
    sent = str(int((NOON - age).timestamp()))

    answer = door.post(C1_BODY, timestamp=sent)

    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert findings(door) == [(Source.ZOOM_CHALLENGE, Finding.GOOD)]


def test_an_old_one_that_is_sent_again_proves_nothing(door: HooksClient) -> None:
    sent = str(int(NOON.timestamp()))
    door.post(C1_BODY, timestamp=sent)
    door.clock.advance(minutes=4)
    door.post(C1_BODY, timestamp=sent)
    door.clock.advance(minutes=4)

    again = door.post(C1_BODY, timestamp=sent)

    assert again.status_code == 200
    assert len(findings(door)) == 2


def test_an_event_ahead_of_the_clock_is_evidence_that_names_the_clock(
    door: HooksClient,
) -> None:
    sent_at = NOON + timedelta(minutes=10)

    door.post(event(), timestamp=str(int(sent_at.timestamp())))

    assert findings(door) == [(Source.ZOOM_EVENT, Finding.GOOD)]
    assert "this server's clock is slow" in door.stored(Check)[0].detail


@pytest.mark.parametrize(
    ("cause", "finding"),
    [
        (Cause.SIGNATURE, Finding.SECRET_MISMATCH),
        (Cause.OTHER_APP, Finding.SECRET_MISMATCH),
        (Cause.WHITE_SPACE, Finding.SECRET_MISMATCH),
        (Cause.REWRITTEN, Finding.FAILED),
        (Cause.LENGTH, Finding.FAILED),
        (Cause.TOO_OLD, Finding.FAILED),
    ],
)
def test_only_another_secret_is_called_a_mismatch(
    door: HooksClient, cause: Cause, finding: Finding
) -> None:
    door.writer.refuse(refused(door.app_id, cause=cause, is_challenge=True))

    assert findings(door) == [(Source.ZOOM_CHALLENGE, finding)]
