"""What is said after a credential pair was saved."""

from flask import flash

from dashboard.models.workspace import Verdict
from dashboard.services.zoom_apps.credential_checks import SavedZoomApp


def say(saved: SavedZoomApp) -> None:
    """Flash what was trimmed, and what Zoom said of the pair."""
    if saved.trimmed:
        flash(
            f"White space around the {' and the '.join(saved.trimmed)} was removed.",
            "off",
        )
    pair_check = saved.pair_check
    if pair_check is None:
        flash("Saved.", "good")
    elif pair_check.verdict is Verdict.RIGHT:
        flash("Saved. Zoom accepted client ID and client secret.", "good")
    else:
        flash(f"Saved, but unchecked. {pair_check.reason}", "waiting")
