"""The simulated Recall: docs/contracts/recall.md as a server of its own."""

from dashboard.sandbox.recall.server import create_recall
from dashboard.sandbox.recall.world import RecallWorld

__all__ = ["RecallWorld", "create_recall"]
