"""The simulated Zoom: Marketplace pages, OAuth, REST API and webhook sender.

It behaves as docs/contracts/zoom.md says and imports only `clock` and `faults` of the
sandbox, nothing else of the dashboard.
"""

from dashboard.sandbox.zoom.server import create_zoom
from dashboard.sandbox.zoom.world import ZoomWorld

__all__ = ["ZoomWorld", "create_zoom"]
