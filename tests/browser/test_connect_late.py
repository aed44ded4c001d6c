"""Two rarer ends of connecting, as seen on a phone."""

import pytest
from playwright.sync_api import Page

from tests.browser.test_connect_ends import (
    abandoned,
    allow,
    connect_url,
    expect_page,
    keep_tokens_here,
    page,
    press,
)
from tests.fixtures.moved_clock import Moved, bare, moved
from tests.fixtures.relay import until

__all__ = ["bare", "moved", "page"]

pytestmark = pytest.mark.browser


def test_who_comes_back_too_late_may_start_again(page: Page, moved: Moved) -> None:
    stage = moved.stage
    page.goto(connect_url(stage))
    press(page, "Connect Zoom")

    moved.move(minutes=11)
    until(lambda: abandoned(stage) == 1)
    allow(page, stage, stage.ana.id)

    expect_page(page, "That took too long", "Nothing was connected.")
    assert stage.credentials() == []


def test_what_zoom_does_not_honour_is_not_the_users_fault(
    page: Page, moved: Moved
) -> None:
    stage = moved.stage
    keep_tokens_here(stage)
    moved.sandbox.zoom_world.change_app(
        stage.app.client_id, client_secret="simChangedSecretChangedSecret00"
    )
    page.goto(connect_url(stage))
    press(page, "Connect Zoom")
    allow(page, stage, stage.ana.id)

    expect_page(page, "Zoom rejected the approval", "Zoom then rejected the approval")
    assert stage.credentials() == []
