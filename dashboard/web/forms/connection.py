"""What the list of connections is searched and filtered by; all in the query string."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from flask import request
from wtforms import HiddenField, SearchField, SelectField
from wtforms.validators import Length

from dashboard.models.connection import SyncStatus
from dashboard.models.zoom_app import TokenCustody, ZoomApp
from dashboard.services.connections.listing import Filters, Sort
from dashboard.services.facts.acting import Who
from dashboard.services.facts.connections import Shown
from dashboard.web.forms.base import QueryForm

E = TypeVar("E", bound=StrEnum)

_SORTS = {
    Sort.CONNECTED.value: "Newest first",
    Sort.NAME.value: "Name",
    Sort.EMAIL.value: "Email",
    Sort.DUE.value: "Next check",
}


_WHO = {
    "": "Any",
    Who.USER.value: "The user",
    Who.ADMIN.value: "An admin",
    Who.HOST.value: "The host",
    Who.YOU.value: "You (Check now)",
    Who.OPERATOR.value: "An operator",
    Who.NOBODY.value: "No one",
}
_SYNCS = {
    "": "Any",
    SyncStatus.COMPLETED.value: "Done",
    SyncStatus.IN_PROGRESS.value: "In progress",
    SyncStatus.NOT_STARTED.value: "Waiting",
    SyncStatus.FAILED.value: "Failed",
    SyncStatus.UNKNOWN.value: "Unknown",
}
_CUSTODIES = {
    "": "Any",
    TokenCustody.RECALL.value: "Recall",
    TokenCustody.DASHBOARD.value: "Dashboard",
    TokenCustody.OWN_SERVER.value: "Your own server",
}
_CHECKED = {"": "Any time", "old": "More than a day ago"}
_DAY = timedelta(days=1)


class FilterForm(QueryForm):
    """A GET form: it changes nothing, so it carries no token."""

    q = SearchField("Search", [Length(max=200)])
    state = HiddenField()
    app = SelectField("Zoom app", default="", validate_choice=False)
    who = SelectField("Who must act", choices=_WHO, default="")
    sync = SelectField("Meeting sync", choices=_SYNCS, default="")
    custody = SelectField("Token storage", choices=_CUSTODIES, default="")
    reference = SearchField("Your user ID", [Length(max=200)])
    tag = SearchField("Tag", [Length(max=40)])
    checked = SelectField("Last checked", choices=_CHECKED, default="")
    sort = SelectField("Sort by", choices=_SORTS, default=Sort.CONNECTED.value)

    def filters(self, *, now: datetime) -> Filters:
        """Return what is asked for; what makes no sense is left out."""
        return Filters(
            search=(self.q.data or "")[:200],
            state=_among(Shown, self.state.data),
            who=_among(Who, self.who.data),
            zoom_app_id=_uuid(self.app.data),
            sync=_among(SyncStatus, self.sync.data),
            custody=_among(TokenCustody, self.custody.data),
            unchecked_since=now - _DAY if self.checked.data == "old" else None,
            reference=(self.reference.data or "").strip()[:200],
            tag=(self.tag.data or "").strip()[:40],
            sort=_among(Sort, self.sort.data) or Sort.CONNECTED,
            as_of=now,
        )


def filter_form(zoom_apps: Sequence[ZoomApp]) -> FilterForm:
    """Return the form with what the query string says."""
    form = FilterForm(request.args)
    names = {str(app.id): app.name for app in zoom_apps}
    form.app.choices = {"": "All zoom apps", **names}
    return form


def _among(kind: type[E], text: str | None) -> E | None:
    return kind(text) if text in set(kind) else None


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None
