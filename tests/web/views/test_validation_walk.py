"""Zoom's re-checks fail one after the other, and the clock counts along to the end."""

from datetime import timedelta

from dashboard.models.zoom_app import ZoomApp
from dashboard.services.validation import evidence
from dashboard.services.validation.evidence import State, ValidationStatus
from tests.fixtures.hooks import HooksClient, door, event
from tests.makers import NOON
from tests.services.receiver.test_signatures import C1_BODY

__all__ = ["door"]

WRONG = {"x-zm-signature": "v0=" + "0" * 64}


def status(door: HooksClient) -> ValidationStatus:
    door.writer.flush()
    with door.database.reading() as session:
        seen = evidence.evidence(session, door.app_id)
    return evidence.zoom_status(seen, door.clock.now())


def test_six_failing_checks_walk_to_switched_off_and_a_right_one_back(
    door: HooksClient,
) -> None:
    door.post(C1_BODY)
    words = [status(door).word]
    for _ in range(7):
        door.clock.advance(hours=72)
        door.post(C1_BODY, headers=WRONG)
        words.append(status(door).word)
    off = status(door)
    door.clock.advance(hours=1)
    door.post(C1_BODY)
    words.append(status(door).word)

    assert words == [
        "Valid",
        *(f"Secret mismatch, {number} of 6" for number in range(1, 6)),
        "Switched off",
        "Switched off",
        "Valid",
    ]
    assert "Re-enable the event subscription in Zoom" in off.sentence


def test_a_genuine_event_heals_what_a_stranger_forged(door: HooksClient) -> None:
    door.post(C1_BODY)
    door.clock.advance(minutes=1)
    door.post(C1_BODY, headers=WRONG)
    forged = status(door)
    door.clock.advance(minutes=1)
    door.post(event())

    assert (forged.state, status(door).state) == (State.SECRET_MISMATCH, State.VALID)


def test_another_secret_token_entered_waits_for_zoom_to_prove_it(
    door: HooksClient,
) -> None:
    door.post(C1_BODY, headers=WRONG)
    door.clock.advance(hours=1)
    with door.database.writing() as session:
        app = session.get_one(ZoomApp, door.app_id)
        app.secret_token_set_at = NOON + timedelta(minutes=30)
        session.add(app)
    changed = status(door)
    door.post(C1_BODY)

    assert (changed.state, changed.failures) == (State.WAITING, 1)
    assert status(door).state is State.VALID
