"""The problem to fix first at a zoom app: the banner on its page. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dashboard.models.check import Source
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.services.heartbeats.heartbeats import WorkerStatus
from dashboard.services.status.silence import Silence
from dashboard.services.validation.states import SWITCH_ON, State, ValidationStatus
from dashboard.services.zoom_apps import apps


class Remedy(StrEnum):
    """The one act that a banner offers."""

    EDIT = "edit"
    UPDATE_IN_RECALL = "update_in_recall"
    PROBE = "probe"
    SEE_URL = "see_url"
    SEE_RECALL_APP = "see_recall_app"
    SEE_REFUSED = "see_refused"
    NONE = ""


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """What is wrong, what follows from it, and the action that fixes it."""

    sentence: str
    detail: str
    remedy: Remedy


def first(  # noqa: PLR0913 - what is known of one app, all named
    app: ZoomApp,
    *,
    zoom_status: ValidationStatus,
    recall_status: ValidationStatus,
    waiting: int,
    failed: int,
    silent: Silence | None = None,
    worker: WorkerStatus | None = None,
    tried_at: datetime | None = None,
) -> Alarm | None:
    """Return the problem to fix first; None while there is none.

    Args:
        app: The zoom app.
        zoom_status: Status of the way from Zoom to us.
        recall_status: Status of the way to Recall.
        waiting: How many of its webhooks wait for Recall.
        failed: How many were given up and not delivered since.
        silent: That nothing is heard of it, when that is so.
        worker: Whether the background worker runs; None when that is not asked.
        tried_at: When one of those that wait was tried last.
    """
    kept = _kept(waiting, failed)
    alarms = [
        *_about_worker(worker, waiting, tried_at),
        *_about_pair(app),
        *_about_zoom(zoom_status),
        *_about_recall(app, recall_status, kept),
        *_about_silence(silent),
    ]
    return next(iter(alarms), None)


def _about_worker(
    worker: WorkerStatus | None, waiting: int, tried_at: datetime | None
) -> Iterator[Alarm]:
    if worker is None or worker.is_alive:
        return
    queued = f" {worker.about_waiting(tried_at)}" if waiting else f" {worker.step}"
    yield Alarm(
        sentence=worker.sentence,
        detail="Webhooks are taken and stored, but not sent to Recall. "
        f"{waiting:,} queued.{queued}",
        remedy=Remedy.NONE,
    )


def _kept(waiting: int, failed: int) -> str:
    """Say what became of its webhooks, from their counts alone."""
    queued = f"{waiting:,} queued"
    if failed:
        webhooks = "1 webhook" if failed == 1 else f"{failed:,} webhooks"
        after = f"; {queued}" if waiting else ""
        return f" {webhooks} failed and must be resent once this is fixed{after}."
    return (
        f" {queued}, none failed." if waiting else " No webhook is waiting or failed."
    )


def doubted_detail(app: ZoomApp) -> str:
    """Say what is known of a pair that is doubted, and that no user has to act."""
    tried = "Zoom is asked about the pair now."
    since = app.pair_doubted_at
    is_tried = app.checked_at and since and app.checked_at >= since
    if is_tried and app.verdict is Verdict.RIGHT:
        tried = (
            "Zoom accepts the pair stored here, so Recall's copy may differ: press "
            "Update in Recall."
        )
    return f"{tried} No user has to act: checks of its users are paused until it works."


def _about_pair(app: ZoomApp) -> Iterator[Alarm]:
    if apps.is_switched_off(app):
        yield Alarm(
            sentence="Zoom has switched this app off in its Marketplace.",
            detail="Activate it there, then press Verify again. Until then, new users "
            "can't connect and tokens aren't renewed.",
            remedy=Remedy.EDIT,
        )
    elif app.verdict is Verdict.WRONG:
        yield Alarm(
            sentence="Zoom rejects this client ID and client secret.",
            detail="New users can't connect, and checks of its users are paused until "
            "this is fixed.",
            remedy=Remedy.EDIT,
        )
    elif app.pair_doubted_at is not None:
        yield Alarm(
            sentence="Recall gets no tokens for this app.",
            detail=doubted_detail(app),
            remedy=Remedy.UPDATE_IN_RECALL,
        )


def _about_zoom(zoom_status: ValidationStatus) -> Iterator[Alarm]:
    if zoom_status.is_switched_off:
        yield Alarm(
            sentence="Zoom has disabled this app's webhooks.",
            detail=f"First fix what made the validation fail. {SWITCH_ON}",
            remedy=Remedy.SEE_URL,
        )
    elif zoom_status.state is State.SECRET_MISMATCH:
        yield Alarm(
            sentence="Secret token mismatch: Zoom signs with a different one.",
            detail="Copy Secret Token from Zoom, Features, Access, same environment. "
            "Until then, Zoom's events are rejected.",
            remedy=Remedy.EDIT,
        )
    elif (
        zoom_status.state is State.FAILING
        and zoom_status.source is Source.OUTSIDE_PROBE
    ):
        yield Alarm(
            sentence="The self-test of the webhook URL failed.",
            detail="Zoom would see the same error, and drops events it can't deliver.",
            remedy=Remedy.SEE_URL,
        )
    elif zoom_status.state is State.FAILING:
        yield Alarm(
            sentence="Zoom's validation of the webhook URL fails: "
            f"{zoom_status.count}.",
            detail="After 6 failures in a row, Zoom stops sending.",
            remedy=Remedy.SEE_URL,
        )


def _about_recall(
    app: ZoomApp, recall_status: ValidationStatus, kept: str
) -> Iterator[Alarm]:
    effect = "Events are verified here and forwarded, but Recall rejects them." + kept
    if app.routing is Routing.DIRECT:
        kept = ""
        effect = (
            "Recall rejects what Zoom sends, unless the secret token here is wrong."
        )
    if recall_status.state is State.SECRET_MISMATCH:
        yield Alarm(
            sentence="Recall rejects our signed test. It may have a different secret "
            "token."
            if recall_status.title
            else "Secret token mismatch: Recall has a different one.",
            detail=effect,
            remedy=Remedy.UPDATE_IN_RECALL,
        )
    elif recall_status.state is State.FAILING and recall_status.title:
        yield Alarm(
            sentence=recall_status.sentence,
            detail="Bots can't get join tokens." + kept,
            remedy=Remedy.SEE_RECALL_APP,
        )
    elif recall_status.state is State.FAILING:
        yield Alarm(
            sentence="Recall's webhook URL doesn't respond correctly.",
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
