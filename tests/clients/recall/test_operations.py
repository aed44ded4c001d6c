"""How often each operation may be asked for: Recall's table, one row each."""

import pytest

from dashboard.clients.recall.operations import Operation

FEW = {"apps.list", "bots.list", "logs.apps", "credentials.list", "logs.mappings"}


@pytest.mark.parametrize("operation", list(Operation))
def test_each_operation_has_the_limit_that_recall_publishes(
    operation: Operation,
) -> None:
    assert operation.a_minute == (60 if operation in FEW else 300)
