"""What becomes of Zoom's challenges is evidence: right, late, out of time."""

import time
from datetime import timedelta

import pytest

from dashboard.models.check import Check, Finding, Source
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


@pytest.mark.parametrize("minutes", [-10, 10], ids=["ahead", "late"])
def test_a_challenge_out_of_time_is_a_failure_with_the_reason(
    door: HooksClient, minutes: int
) -> None:
    sent_at = NOON - timedelta(minutes=minutes)

    answer = door.post(C1_BODY, timestamp=str(int(sent_at.timestamp())))

    assert answer.status_code == 401
    assert findings(door) == [(Source.ZOOM_CHALLENGE, Finding.FAILED)]
    assert "clock" in door.stored(Check)[0].detail


def test_an_event_out_of_time_is_no_challenge(door: HooksClient) -> None:
    sent_at = NOON + timedelta(minutes=10)

    door.post(event(), timestamp=str(int(sent_at.timestamp())))

    assert findings(door) == []


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
