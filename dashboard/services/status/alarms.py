"""The one thing to mend first at a zoom app: what a banner on its page says. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from dashboard.models.check import Source
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.services.status.silence import Silence
from dashboard.services.validation.states import SWITCH_ON, State, ValidationStatus


class Remedy(StrEnum):
    """The one act that a banner offers."""

    EDIT = "edit"
    UPDATE_IN_RECALL = "update_in_recall"
    PROBE = "probe"
    SEE_URL = "see_url"
    SEE_RECALL_APP = "see_recall_app"
    SEE_REFUSED = "see_refused"


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """What is wrong, what follows from it, and the act that mends it."""

    sentence: str
    detail: str
    remedy: Remedy


def first(
    app: ZoomApp,
    *,
    zoom_status: ValidationStatus,
    recall_status: ValidationStatus,
    waiting: int,
    silent: Silence | None = None,
) -> Alarm | None:
    """Return the one thing to mend first; None while nothing is wrong.

    Args:
        app: The zoom app.
        zoom_status: Status of the way from Zoom to us.
        recall_status: Status of the way to Recall.
        waiting: How many of its webhooks wait for Recall.
        silent: That nothing is heard of it, when that is so.
    """
    kept = f" No event is lost: {waiting} wait." if waiting else " No event is lost."
    alarms = [
        *_about_pair(app),
        *_about_zoom(zoom_status),
        *_about_recall(app, recall_status, kept),
        *_about_silence(silent),
    ]
    return next(iter(alarms), None)


def _about_pair(app: ZoomApp) -> Iterator[Alarm]:
    if app.verdict is Verdict.WRONG:
        yield Alarm(
            sentence="Zoom refuses the client ID with this client secret.",
            detail="Nobody can connect until it is mended.",
            remedy=Remedy.EDIT,
        )


def _about_zoom(zoom_status: ValidationStatus) -> Iterator[Alarm]:
    if zoom_status.is_switched_off:
        yield Alarm(
            sentence="Zoom has switched off this app's webhooks.",
            detail=f"{SWITCH_ON} What made the challenges fail is mended first.",
            remedy=Remedy.SEE_URL,
        )
    elif zoom_status.state is State.SECRET_MISMATCH:
        yield Alarm(
            sentence="Zoom signs with another secret token than the one stored here.",
            detail="Copy Secret Token from Zoom, Features, Access, same environment. "
            "Until then Zoom's events are refused.",
            remedy=Remedy.EDIT,
        )
    elif (
        zoom_status.state is State.FAILING
        and zoom_status.source is Source.OUTSIDE_PROBE
    ):
        yield Alarm(
            sentence="The webhook URL does not answer from outside as it should.",
            detail="Zoom would meet the same, and drops what it cannot deliver.",
            remedy=Remedy.SEE_URL,
        )
    elif zoom_status.state is State.FAILING:
        yield Alarm(
            sentence=f"Zoom's check of the webhook URL fails: {zoom_status.count}.",
            detail="After 6 in a row Zoom stops sending.",
            remedy=Remedy.SEE_URL,
        )


def _about_recall(
    app: ZoomApp, recall_status: ValidationStatus, kept: str
) -> Iterator[Alarm]:
    effect = "Events are verified here and forwarded, but Recall refuses them." + kept
    if app.routing is Routing.DIRECT:
        kept = ""
        effect = "Recall refuses what Zoom sends, unless the one stored here is wrong."
    if recall_status.state is State.SECRET_MISMATCH:
        yield Alarm(
            sentence="Recall holds another secret token than the one stored here.",
            detail=effect,
            remedy=Remedy.UPDATE_IN_RECALL,
        )
    elif recall_status.state is State.FAILING and recall_status.title:
        yield Alarm(
            sentence=recall_status.sentence,
            detail="Nobody's meetings get a token." + kept,
            remedy=Remedy.SEE_RECALL_APP,
        )
    elif recall_status.state is State.FAILING:
        yield Alarm(
            sentence="Recall does not answer its webhook URL as it should.",
            detail=recall_status.sentence + kept,
            remedy=Remedy.PROBE,
        )


def _about_silence(silent: Silence | None) -> Iterator[Alarm]:
    if silent is not None:
        yield Alarm(
            sentence=silent.sentence,
            detail=silent.detail,
            remedy=Remedy.SEE_REFUSED if silent.is_refused else Remedy.SEE_URL,
        )
