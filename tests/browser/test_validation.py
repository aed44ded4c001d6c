"""The two clocks, live in a real browser, over weeks of simulated time."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.fixtures.moved_clock import Moved, bare, moved

__all__ = ["bare", "moved"]

pytestmark = pytest.mark.browser

WITHIN_A_SECOND_MS = 1000


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture
def zoom(browser: Browser) -> Iterator[Page]:
    """Give the admin's other tab: Zoom's console."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.mark.prompt
def test_validate_turns_the_open_page_green_within_a_second(
    moved: Moved, page: Page, zoom: Page
) -> None:
    moved.open(page)
    expect(page.locator("#ours")).not_to_have_attribute("data-state", "valid")

    moved.press_validate(zoom)

    expect(page.locator("#ours")).to_have_attribute(
        "data-state", "valid", timeout=WITHIN_A_SECOND_MS
    )


def test_another_secret_token_in_recall_alone_turns_recalls_clock_red(
    moved: Moved, page: Page, zoom: Page
) -> None:
    moved.in_recall.webhook_secret = "another-secret-token"
    moved.open(page)

    moved.press_validate(zoom)

    expect(page.locator("#ours")).to_have_attribute("data-state", "valid")
    expect(page.locator("#recalls")).to_have_attribute("data-state", "secret_mismatch")
    banner = page.get_by_text("Recall has a different one.")
    expect(banner).to_be_visible()
    expect(page.get_by_role("button", name="Update in Recall").first).to_be_visible()


def test_six_failing_rechecks_walk_to_switched_off(
    moved: Moved, page: Page, zoom: Page
) -> None:
    moved.open(page)
    moved.press_validate(zoom)
    ours = page.locator("#ours")
    expect(ours).to_have_attribute("data-state", "valid")
    moved.sandbox.zoom_world.regenerate_secret_token(moved.at_zoom.client_id)

    for number in range(1, 6):
        moved.move(hours=72, minutes=1)
        expect(ours).to_contain_text(f"{number} of 6", timeout=60_000)
        expect(ours).to_have_attribute("data-state", "secret_mismatch")
        assert moved.at_zoom.failures == number
    moved.move(hours=72, minutes=1)

    expect(ours).to_contain_text("Switched off")
    expect(ours).to_contain_text("press Validate")
    assert not moved.at_zoom.subscription_enabled


def test_silence_after_a_rhythm_raises_the_alarm(
    moved: Moved, page: Page, zoom: Page
) -> None:
    moved.press_validate(zoom)
    moved.sandbox.zoom_world.change_app(
        moved.at_zoom.client_id, events=["meeting.created", "user.updated"]
    )
    user = moved.stage.connect()
    assert user.zoom_user_id is not None
    for _ in range(30):  # eight days with an event every six hours or so
        moved.meet(user.zoom_user_id)
        moved.move(hours=6, minutes=30)
    moved.open(page)
    alarm = page.get_by_text("No events from Zoom for").first
    expect(alarm).to_be_hidden()

    moved.move(hours=30)
    page.reload()

    expect(alarm).to_be_visible()


def test_direct_routing_is_watched_without_any_request_to_us(
    moved: Moved, page: Page, zoom: Page
) -> None:
    moved.route_directly()
    moved.open(page)
    expect(page.locator("#recalls")).to_have_attribute("data-state", "waiting")

    moved.press_validate(zoom, moved.recall_webhook_url)

    expect(page.locator("#recalls")).to_have_attribute(
        "data-state", "valid", timeout=15_000
    )
    assert moved.requests_from_zoom() == 0
