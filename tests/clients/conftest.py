"""Fixtures of the client tests."""

from collections.abc import Iterator

import pytest

from dashboard.sandbox.serving import RunningSandbox
from tests.fixtures.vendors import Stage, a_stage


@pytest.fixture
def stage(sandbox: RunningSandbox) -> Iterator[Stage]:
    yield from a_stage(sandbox)
