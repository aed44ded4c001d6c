"""The simulated Recall: its API, webhook receiver and pages.

It behaves as docs/contracts/recall.md says and imports only `clock` and `faults` of
the sandbox, nothing else of the dashboard.
"""

from dashboard.sandbox.recall.server import create_recall
from dashboard.sandbox.recall.world import RecallWorld

__all__ = ["RecallWorld", "create_recall"]
