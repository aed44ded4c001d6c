"""The filter of the audit log: everything in the query string, nothing kept."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from wtforms import DateTimeLocalField, StringField
from wtforms.validators import Length, Optional

from dashboard.services.audit.reading import Filters
from dashboard.web.forms.base import QueryForm

NAMES = ("who", "act", "subject", "since", "until")
_MINUTES = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


class AuditFilterForm(QueryForm):
    """What to list. Times are UTC, as the log shows them."""

    who = StringField("Who", [Optional(), Length(max=254)])
    act = StringField("Action", [Optional(), Length(max=64)])
    subject = StringField("Subject", [Optional(), Length(max=300)])
    since = DateTimeLocalField("From (UTC)", [Optional()], format=_MINUTES)
    until = DateTimeLocalField("Until (UTC)", [Optional()], format=_MINUTES)

    def filters(self) -> Filters:
        """Return what was asked for; fields with errors are left out."""
        asked = {
            name: self[name].data or None for name in NAMES if not self[name].errors
        }
        return Filters(
            who=(asked.get("who") or "").strip(),
            act=(asked.get("act") or "").strip(),
            subject=(asked.get("subject") or "").strip(),
            since=_utc(asked.get("since")),
            until=_utc(asked.get("until")),
        )


def kept(arguments: Mapping[str, str]) -> dict[str, Any]:
    """Return the filter's own part of a query string, for links that keep it."""
    return {name: arguments[name] for name in NAMES if arguments.get(name)}


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(tzinfo=UTC)
