"""The one thing to mend first at a zoom app: what a banner on its page says. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.validation_states import State, ValidationStatus


class Remedy(StrEnum):
    """The one act that a banner offers."""

    EDIT = "edit"
    UPDATE_IN_RECALL = "update_in_recall"
    PROBE = "probe"


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """What is wrong, what follows from it, and the act that mends it."""

    sentence: str
    detail: str
    remedy: Remedy


def first(
    app: ZoomApp, *, ours: ValidationStatus, recalls: ValidationStatus, waiting: int
) -> Alarm | None:
    """Return the one thing to mend first; None while nothing is wrong.

    Args:
        app: The zoom app.
        ours: Status of the way from Zoom to us.
        recalls: Status of the way to Recall.
        waiting: How many of its webhooks wait for Recall.
    """
    kept = f" No event is lost: {waiting} wait." if waiting else " No event is lost."
    if app.verdict is Verdict.WRONG:
        return Alarm(
            sentence="Zoom refuses the client ID with this client secret.",
            detail="Nobody can connect until it is mended.",
            remedy=Remedy.EDIT,
        )
    if ours.state is State.SECRET_MISMATCH:
        return Alarm(
            sentence="Zoom signs with another secret token than the one stored here.",
            detail="Copy Secret Token from Zoom, Features, Access, same environment. "
            "Until then Zoom's events are refused.",
            remedy=Remedy.EDIT,
        )
    if recalls.state is State.SECRET_MISMATCH:
        return Alarm(
            sentence="Recall holds another secret token than the one stored here.",
            detail="Events are verified here and forwarded, but Recall refuses them."
            + kept,
            remedy=Remedy.UPDATE_IN_RECALL,
        )
    if recalls.state is State.FAILING:
        return Alarm(
            sentence="Recall does not answer its webhook URL as it should.",
            detail=recalls.sentence + kept,
            remedy=Remedy.PROBE,
        )
    return None
