"""A simulated Recall with one workspace."""

import pytest

from tests.fixtures.simulated_recall import Recall, a_recall


@pytest.fixture
def recall() -> Recall:
    return a_recall()
