"""What is said after a credential pair was saved."""

from flask import flash

from dashboard.models.workspace import Verdict
from dashboard.services.zoom_apps.credential_checks import Entered


def say(entered: Entered) -> None:
    """Flash what was trimmed, and what Zoom said of the pair."""
    if entered.trimmed:
        flash(
            f"White space around the {' and the '.join(entered.trimmed)} was removed.",
            "off",
        )
    proof = entered.proof
    if proof is None:
        flash("Saved.", "good")
    elif proof.verdict is Verdict.RIGHT:
        flash("Saved. Zoom accepted client ID and client secret.", "good")
    else:
        flash(f"Saved, but unchecked. {proof.reason}", "waiting")
