"""The two clocks on a zoom app's page, for each routing, and the banner above them."""

from datetime import timedelta
from uuid import UUID

import pytest
from bs4 import BeautifulSoup

from dashboard.models.check import Finding, Source
from dashboard.models.staff import Role
from dashboard.models.webhook import Outcome
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.services.runtime import Runtime
from dashboard.services.validation import evidence
from dashboard.services.validation.evidence import State, ValidationStatus
from tests.conftest import SignIn
from tests.fixtures.hooks import HooksClient, door, event
from tests.makers import LATER, NOON, a_connection, a_webhook, saved_app
from tests.services.receiver.test_signatures import C1_BODY

HOUR = timedelta(hours=1)


SET_AT = NOON - timedelta(days=90)


def an_app(runtime: Runtime, routing: Routing = Routing.RELAY) -> UUID:
    with runtime.database.writing() as session:
        return saved_app(
            session, runtime.vault, routing=routing, secret_token_set_at=SET_AT
        )


def note(
    runtime: Runtime, app_id: UUID, source: Source, finding: Finding, *hours: float
) -> None:
    """Keep evidence of so many hours ago; Recall's API speaks of an hour before."""
    with runtime.database.writing() as session:
        for ago in hours:
            at = NOON - HOUR * ago
            evidence.record(
                session,
                zoom_app_id=app_id,
                source=source,
                finding=finding,
                detail="It was so.",
                told_at=at - HOUR if source is Source.RECALL_API else None,
                at=at,
            )


def show(as_role: SignIn, app_id: UUID, role: Role = Role.ADMIN) -> BeautifulSoup:
    answer = as_role(role).get(f"/zoom-apps/{app_id}")
    assert answer.status_code == 200, answer.text
    return BeautifulSoup(answer.text, "html5lib")


def clocks(page: BeautifulSoup) -> list[str]:
    return [str(found["id"]) for found in page.select("#ours, #recalls")]


def text(page: BeautifulSoup, selector: str) -> str:
    found = page.select_one(selector)
    assert found is not None
    return " ".join(found.text.split())


def test_with_relay_zooms_way_to_us_comes_first_and_counts(
    as_role: SignIn, runtime: Runtime
) -> None:
    app_id = an_app(runtime)
    note(runtime, app_id, Source.ZOOM_CHALLENGE, Finding.GOOD, 20)
    note(runtime, app_id, Source.RECALL_PROBE, Finding.GOOD, 2)

    page = show(as_role, app_id)

    assert clocks(page) == ["ours", "recalls"]
    assert "Zoom re-checks in 52 h · 0 of 6 failed checks" in text(page, "#ours")
    assert "Next check in 70 h" in text(page, "#recalls")
    assert [bar["value"] for bar in page.select("progress")] == ["72", "97"]


def test_with_direct_recalls_clock_comes_first_and_ours_is_quiet(
    as_role: SignIn, runtime: Runtime
) -> None:
    app_id = an_app(runtime, Routing.DIRECT)
    note(runtime, app_id, Source.RECALL_API, Finding.GOOD, 1)

    page = show(as_role, app_id)

    assert clocks(page) == ["recalls", "ours"]
    assert "Valid" in text(page, "#recalls")
    assert "Zoom re-checks in 70 h" in text(page, "#recalls")
    assert "Zoom sends webhooks directly to Recall" in text(page, "#ours")
    assert not page.select("#ours progress")


def test_six_failures_are_said_with_what_to_do_in_zoom(
    as_role: SignIn, runtime: Runtime
) -> None:
    app_id = an_app(runtime)
    rounds = [72.0 * back for back in range(6, 0, -1)]
    note(runtime, app_id, Source.ZOOM_CHALLENGE, Finding.SECRET_MISMATCH, *rounds)

    page = show(as_role, app_id)

    assert "Switched off" in text(page, "#ours")
    assert "6 of 6 failed checks" in text(page, "#ours")
    assert "Re-enable the event subscription in Zoom" in text(page, ".banner")
    assert page.select("a[href='#step-challenge']")
    assert page.select("#step-challenge")


def test_a_check_that_is_due_is_said_to_be(as_role: SignIn, runtime: Runtime) -> None:
    app_id = an_app(runtime)
    note(runtime, app_id, Source.ZOOM_CHALLENGE, Finding.GOOD, 74)

    page = show(as_role, app_id)

    assert "Valid" in text(page, "#ours")
    assert "Was due 2 h ago" in text(page, "#ours")


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.ADMIN])
def test_silence_is_a_banner_for_everybody(
    as_role: SignIn, runtime: Runtime, role: Role
) -> None:
    app_id = an_app(runtime)
    with runtime.database.writing() as session:
        app = session.get_one(ZoomApp, app_id)
        long_ago = NOON - timedelta(days=9)
        session.add(a_connection(app, connected_at=long_ago))
        session.add(a_webhook(app, received_at=long_ago, outcome=Outcome.DELIVERED))

    page = show(as_role, app_id, role)

    assert "No events from Zoom for 9 days" in text(page, ".banner")


def test_an_app_that_recall_lost_leads_to_the_step_that_mends_it(
    as_role: SignIn, runtime: Runtime
) -> None:
    app_id = an_app(runtime)
    note(runtime, app_id, Source.RECALL_API, Finding.GONE, 1)

    page = show(as_role, app_id)

    assert "Deleted in Recall" in text(page, "#recalls")
    assert page.select(".banner a[href='#step-recall_app']")
    assert page.select("#step-recall_app")


def test_the_list_and_the_overview_show_the_count(
    as_role: SignIn, runtime: Runtime
) -> None:
    app_id = an_app(runtime)
    note(runtime, app_id, Source.ZOOM_CHALLENGE, Finding.FAILED, 80, 8)

    for address in ("/", "/zoom-apps/"):
        assert "Failing, 2 of 6" in as_role(Role.SUPPORT).get(address).text


__all__ = ["door"]


WRONG = {"x-zm-signature": "v0=" + "0" * 64}


def status(door: HooksClient) -> ValidationStatus:
    door.writer.flush()
    with door.database.reading() as session:
        seen = evidence.evidence(session, door.app_id, now=LATER)
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
