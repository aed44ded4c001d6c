"""The two clocks, live in a real browser, over weeks of simulated time."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.moved import Moved, moved

__all__ = ["moved"]

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


def test_validate_turns_the_open_page_green_within_a_second(
    moved: Moved, page: Page, zoom: Page
) -> None:
    moved.open(page)
    expect(page.locator("#ours")).to_have_attribute("data-state", "never_seen")

    moved.press_validate(zoom)

    expect(page.locator("#ours")).to_have_attribute(
        "data-state", "valid", timeout=WITHIN_A_SECOND_MS
    )
