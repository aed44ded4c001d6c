"""Instructions of the set-up stay as the reader left them."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Demo
from tests.browser.test_storages import enter
from tests.browser.test_story import sign_in

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser: Browser, demo: Demo) -> Iterator[Page]:
    context = browser.new_context()
    shown = context.new_page()
    sign_in(shown, demo, "admin@example.com")
    yield shown
    context.close()


def test_what_was_opened_stays_open_over_a_reload(page: Page, demo: Demo) -> None:
    enter(page, demo, "Left half read", "Recall")
    closed = page.locator("details[data-of]:not([open])").first
    of = closed.get_attribute("data-of")
    step = page.locator(f'details[data-of="{of}"]').first
    step.locator("summary").first.click()
    expect(step).to_have_attribute("open", "")

    page.reload()

    expect(step).to_have_attribute("open", "")
