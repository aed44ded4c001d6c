"""The filter of the webhook log: everything in the query string, nothing kept."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from wtforms import (  # type: ignore[attr-defined]  # SelectChoice: newer than its stubs
    DateTimeLocalField,
    HiddenField,
    SelectChoice,
    SelectField,
    StringField,
)
from wtforms import validators as rules
from wtforms.validators import Length, Optional, Regexp

from dashboard.models.webhook import Mark, Outcome
from dashboard.services.facts.webhooks import WORDS
from dashboard.services.webhook_log.search import (
    MARK_WORDS,
    WebhookFilter,
)
from dashboard.web.forms.base import QueryForm

_NOT_A_DIGIT = re.compile(r"[\s-]")
_NAMES = (
    *("zoom_app", "event", "outcome", "mark", "connection"),
    *("meeting", "user", "since", "until"),
)
_ANY = SelectChoice("", "Any")
_OUTCOMES = [
    _ANY,
    *(SelectChoice(each.value, words) for each, words in WORDS.items()),
]
_MARKS = [
    _ANY,
    *(SelectChoice(each.value, words) for each, words in MARK_WORDS.items()),
]
_MINUTES = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


def _digits(text: str | None) -> str:
    return _NOT_A_DIGIT.sub("", text or "")


class WebhookFilterForm(QueryForm):
    """What to list. Times are UTC, as the log shows them."""

    zoom_app = SelectField("Zoom app", [Optional()])
    event = SelectField("Event", [Optional(), Length(max=80)], validate_choice=False)
    outcome = SelectField("Outcome", [Optional()], choices=_OUTCOMES)
    mark = SelectField("Mark", [Optional()], choices=_MARKS)
    meeting = StringField(
        "Meeting number",
        [Optional(), Regexp(r"[0-9]{1,18}$", message="Use digits only.")],
        filters=[_digits],
    )
    user = StringField("Zoom user ID", [Optional(), Length(max=64)])
    connection = HiddenField(
        "Connection",
        [Optional(), rules.UUID(message="No connection has this ID.")],
    )
    since = DateTimeLocalField("From (UTC)", [Optional()], format=_MINUTES)
    until = DateTimeLocalField("Until (UTC)", [Optional()], format=_MINUTES)

    def choose_from(self, apps: Mapping[UUID, str], events: Sequence[str]) -> None:
        """Fill the two lists; an event that is filtered for is always among them."""
        self.zoom_app.choices = [
            _ANY,
            *(SelectChoice(str(app_id), name) for app_id, name in apps.items()),
        ]
        chosen = {self.event.data} - {None, "", *events}
        self.event.choices = [
            _ANY,
            *(SelectChoice(name, name) for name in [*events, *chosen] if name),
        ]

    def filters(self) -> WebhookFilter:
        """Return what was asked for; fields with errors are left out."""
        asked = {
            name: self[name].data or None for name in _NAMES if not self[name].errors
        }
        app, outcome, mark, meeting, connection = (
            asked.get(name)
            for name in ("zoom_app", "outcome", "mark", "meeting", "connection")
        )
        return WebhookFilter(
            zoom_app_id=UUID(app) if app else None,
            event=asked.get("event"),
            outcome=Outcome(outcome) if outcome else None,
            mark=Mark(mark) if mark else None,
            meeting_id=int(meeting) if meeting else None,
            zoom_user_id=asked.get("user"),
            connection_id=UUID(connection) if connection else None,
            since=_utc(asked.get("since")),
            until=_utc(asked.get("until")),
        )


def kept(arguments: Mapping[str, str]) -> dict[str, Any]:
    """Return the filter's own part of a query string, for links that keep it."""
    return {name: arguments[name] for name in _NAMES if arguments.get(name)}


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(tzinfo=UTC)
