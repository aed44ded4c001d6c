"""What the list of connections is searched and filtered by; all in the query string."""

from collections.abc import Sequence
from uuid import UUID

from flask import request
from flask_wtf import FlaskForm
from wtforms import HiddenField, SearchField, SelectField
from wtforms.validators import Length

from dashboard.models.connection import TokenState
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.connection_pages import Filters, Sort

_SORTS = {
    Sort.CONNECTED.value: "Newest first",
    Sort.NAME.value: "Name",
    Sort.EMAIL.value: "E-mail",
    Sort.DUE.value: "Next look",
}


class FilterForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF ships no types
    """A GET form: it changes nothing, so it carries no token."""

    class Meta:
        """WTForms' own switch."""

        csrf = False

    q = SearchField("Search", [Length(max=200)])
    state = HiddenField()
    app = SelectField("Zoom app", default="", validate_choice=False)
    sort = SelectField("Order", choices=_SORTS, default=Sort.CONNECTED.value)

    def filters(self) -> Filters:
        """Return what is asked for; what makes no sense is left out."""
        return Filters(
            search=(self.q.data or "")[:200],
            state=_state(self.state.data),
            zoom_app_id=_uuid(self.app.data),
            sort=_sort(self.sort.data),
        )


def filter_form(zoom_apps: Sequence[ZoomApp]) -> FilterForm:
    """Return the form with what the query string says."""
    form = FilterForm(request.args)
    names = {str(app.id): app.name for app in zoom_apps}
    form.app.choices = {"": "All zoom apps", **names}
    return form


def _state(text: str | None) -> TokenState | None:
    return TokenState(text) if text in set(TokenState) else None


def _sort(text: str | None) -> Sort:
    return Sort(text) if text in set(Sort) else Sort.CONNECTED


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None
