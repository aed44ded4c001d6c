"""What the pages of resends show: which webhooks, and how many are sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import url_for

from dashboard.db import Session
from dashboard.formatting import grouped, time_left
from dashboard.models.resend import Resend, ResendState
from dashboard.services.facts.webhooks import WORDS
from dashboard.services.heartbeats import heartbeats
from dashboard.services.heartbeats.heartbeats import WorkerStatus
from dashboard.services.paging import Place
from dashboard.services.resends import resends
from dashboard.services.resends.resends import Progress
from dashboard.services.webhook_log import log
from dashboard.services.webhook_log.search import (
    MARK_WORDS,
    WebhookFilter,
    from_query,
)
from dashboard.web.charts import Part, parts_bar
from dashboard.web.filters import absolute

_EVERYTHING = "All webhooks"
_STATES = {
    ResendState.GATHERING: ("waiting", "Listing"),
    ResendState.SENDING: ("waiting", "Sending"),
    ResendState.DONE: ("good", "Done"),
    ResendState.CANCELLED: ("off", "Cancelled"),
}


_RUNNING = (ResendState.GATHERING, ResendState.SENDING)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A resend as its page and the history show it.

    Attributes:
        which: Its filter in a few words.
        tone: good, waiting, trouble or off.
        word: Its state.
    """

    progress: Progress
    which: str
    tone: str
    word: str

    @property
    def is_running(self) -> bool:
        """Whether its page updates automatically."""
        return self.progress.resend.ended_at is None or self.progress.waiting > 0


def filter_facts(
    filters: WebhookFilter, names: Mapping[UUID, str]
) -> Sequence[tuple[str, str]]:
    """Return a filter as labels and values."""
    app_id = filters.zoom_app_id
    facts = [
        ("Zoom app", names.get(app_id, str(app_id)) if app_id else None),
        ("Event", filters.event),
        ("Outcome", WORDS[filters.outcome] if filters.outcome else None),
        ("Mark", MARK_WORDS[filters.mark] if filters.mark else None),
        ("Meeting", grouped(filters.meeting_id)),
        ("Zoom user ID", filters.zoom_user_id),
        ("Zoom account ID", filters.zoom_account_id),
        ("Connection", str(filters.connection_id) if filters.connection_id else None),
        ("From", absolute(filters.since) if filters.since else None),
        ("Until", absolute(filters.until) if filters.until else None),
    ]
    return [(label, value) for label, value in facts if value]


def shown(progress: Progress, names: Mapping[UUID, str], worker: WorkerStatus) -> Shown:
    """Return a resend in words."""
    state = progress.resend.state
    tone, word = _STATES[state]
    if not worker.is_alive and state in _RUNNING:
        tone, word = "trouble", f"{word}: no worker"
    if progress.dead and tone == "good":
        tone = "trouble"
    return Shown(
        progress=progress, which=_which(progress.resend, names), tone=tone, word=word
    )


def history_context(session: Session, place: Place, *, now: datetime) -> dict[str, Any]:
    """Return what the history's templates need."""
    found = resends.page(session, place=place)
    names = log.app_names(session)
    worker = heartbeats.find(session, now=now)
    rows = [shown(row, names, worker) for row in found.rows]
    older, newer = found.older_before, found.newer_after
    here: dict[str, Any] = {"before": place.before, "after": place.after}
    return {
        "rows": rows,
        "topics": " ".join(
            f"resend-{row.progress.resend.id}" for row in rows if row.is_running
        ),
        "live_url": url_for("resends.index", **here),
        "older_url": url_for("resends.index", before=older) if older else None,
        "newer_url": url_for("resends.index", after=newer) if newer else None,
    }


def progress_context(
    session: Session, resend_id: int, place: Place, *, now: datetime
) -> dict[str, Any]:
    """Return what the templates of one resend need.

    Raises:
        NotFoundError: There is none.
    """
    found = resends.progress(session, resend_id)
    resend = found.resend
    worker = heartbeats.find(session, now=now)
    dead = resends.dead(session, resend_id, place=place)
    older, newer = dead.found.older_before, dead.found.newer_after
    at: dict[str, Any] = {"resend_id": resend_id}
    return {
        "shown": shown(found, log.app_names(session), worker),
        "chart": _chart(found),
        "pace": _pace(found, now) if worker.is_alive else "",
        "worker": worker,
        "only": resends.only_webhook(session, resend_id) if not resend.query else None,
        "log_url": f"{url_for('webhooks.index')}?{resend.query}",
        "dead": dead,
        "tried_again": resends.tried_again(session, resend_id),
        "live_url": url_for(
            "resends.show", **at, before=place.before, after=place.after
        ),
        "older_url": url_for("resends.show", **at, before=older) if older else None,
        "newer_url": url_for("resends.show", **at, after=newer) if newer else None,
    }


def _which(resend: Resend, names: Mapping[UUID, str]) -> str:
    if not resend.query:
        is_one = resend.expected == resend.total == 1
        return "One webhook" if is_one else _EVERYTHING
    facts = filter_facts(from_query(resend.query), names)
    return ", ".join(f"{label.lower()} {value}" for label, value in facts)


def _chart(progress: Progress) -> object:
    is_cancelled = progress.resend.state is ResendState.CANCELLED
    cancelled = progress.unsent if is_cancelled else progress.cancelled
    unlisted = 0 if is_cancelled else progress.unlisted
    parts = [
        Part(label="delivered", tone="good", count=progress.delivered),
        Part(label="failed", tone="trouble", count=progress.dead),
        Part(label="waiting", tone="waiting", count=progress.waiting),
        Part(label="cancelled", tone="off", count=cancelled),
        Part(label="not listed yet", tone="off", count=unlisted),
    ]
    return parts_bar(parts, "webhooks")


def _pace(progress: Progress, now: datetime) -> str:
    """Return its speed: "about 900 a second, about 10 s to go"."""
    rate = progress.a_second(now)
    if rate < 1:
        return "" if not progress.sent else f"about {rate * 60:.0f} a minute"
    words = f"about {rate:,.0f} a second"
    left = progress.waiting + progress.unlisted
    if progress.resend.ended_at is None and left:
        words += f", about {time_left(int(left / rate) + 1)} to go"
    return words
