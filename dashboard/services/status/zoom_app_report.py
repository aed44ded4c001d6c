"""What `zoom-app show` tells: the summary, both clocks, and the set-up's steps."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from dashboard.services.setup import checklist
from dashboard.services.setup.checklist import Checklist, SetupStep
from dashboard.services.status import zoom_app_summary
from dashboard.services.status.zoom_app_summary import ZoomAppSummary
from dashboard.services.validation import evidence
from dashboard.services.validation.evidence import ValidationStatus
from dashboard.services.zoom_apps import apps
from dashboard.settings import Settings


@dataclass(frozen=True, kw_only=True)
class ZoomAppReport:
    """One zoom app without its secrets.

    Attributes:
        zoom_status: Status of the way from Zoom to us.
        recall_status: Status of the way from us to Recall.
        setup: As on its page and on the overview.
    """

    summary: ZoomAppSummary
    zoom_status: ValidationStatus
    recall_status: ValidationStatus
    setup: Checklist

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON; `pydantic_core.to_jsonable_python` does the rest."""
        return asdict(self.summary) | {
            "clocks": {
                "zoom_to_dashboard": _clock(self.zoom_status),
                "dashboard_to_recall": _clock(self.recall_status),
            },
            "setup": [_tick(step) for step in self.setup.steps],
        }

    def lines(self) -> Sequence[str]:
        """Return the set-up as lines for a terminal, the one thing to do last."""
        upcoming = self.setup.next
        said = [f"set-up: {self.setup.words}"]
        for step in self.setup.steps:
            mark = "x" if step.is_done else "!" if step.tone == "trouble" else " "
            at = f"{step.at:%Y-%m-%d %H:%M:%S} UTC" if step.at else "-" * 3
            said.append(f"[{mark}] {at:<23}  {step.title}")
            said += [f"{'':29}{text}" for text in (step.proof, step.remark) if text]
        if upcoming is not None:
            said.append(f"next: {upcoming.next}")
        return said


def report(
    session: Session,
    zoom_app_id: UUID,
    *,
    settings: Settings,
    public_url: str,
    now: datetime,
) -> ZoomAppReport:
    """Return what is known of a zoom app and how far it is.

    Raises:
        NotFoundError: There is no such zoom app.
    """
    app = apps.get(session, zoom_app_id)
    seen = evidence.evidence(session, zoom_app_id)
    return ZoomAppReport(
        summary=zoom_app_summary.summary(
            session, app, seen, settings=settings, public_url=public_url, now=now
        ),
        zoom_status=evidence.zoom_status(seen, now),
        recall_status=evidence.recall_status(seen, now),
        setup=checklist.load(session, app, seen, now=now),
    )


def _clock(status: ValidationStatus) -> Mapping[str, object]:
    return {
        "state": status.state,
        "word": status.state.word,
        "sentence": status.sentence,
        "since": status.since,
        "next_due_at": status.next_due_at,
        "failures": status.failures,
    }


def _tick(step: SetupStep) -> Mapping[str, object]:
    return {
        "key": step.key,
        "title": step.title,
        "done": step.is_done,
        "at": step.at,
        "proof": step.proof,
        "remark": step.remark,
        "next": step.next,
    }
