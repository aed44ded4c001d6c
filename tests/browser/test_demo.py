"""`dashboard demo` as the person who starts it meets it."""

from pathlib import Path

import pytest

from tests.browser.conftest import Demo

pytestmark = pytest.mark.browser  # shares the demo with the browser tests


def test_the_address_answers_when_the_demo_prints_it(demo: Demo) -> None:
    assert demo.answered_at_once


def test_it_says_where_its_data_stays(demo: Demo) -> None:
    assert list(Path(demo.folder).glob("*.db"))
