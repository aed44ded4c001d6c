"""The simulated Zoom: Marketplace pages, OAuth, REST API and webhook sender."""

from dashboard.sandbox.zoom.server import create_zoom
from dashboard.sandbox.zoom.world import ZoomWorld

__all__ = ["ZoomWorld", "create_zoom"]
