"""Forms for going live: from development to production."""

from collections.abc import Sequence

from flask import request
from wtforms import (  # type: ignore[attr-defined]  # SelectChoice: newer than its stubs
    HiddenField,
    RadioField,
    SearchField,
    SelectChoice,
    SelectField,
    validators,
)
from wtforms.validators import DataRequired, Length

from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.web.forms.base import Form, QueryForm
from dashboard.web.forms.zoom_app import ROUTINGS, NewZoomAppForm

NOT_YET, MOVED, ALL = "not_yet", "reconnected", "all"
"""Which users the list shows."""


class ProductionForm(NewZoomAppForm):
    """The production credentials; kind and environment follow from development."""

    environment = None  # type: ignore[assignment]  # WTForms' way to leave a field out
    kind = None  # type: ignore[assignment]  # as above
    routing = RadioField(
        "Routing of webhooks", [DataRequired("Choose one.")], choices=ROUTINGS
    )
    workspace_id = SelectField(
        "Workspace",
        [validators.Optional(), validators.UUID("Choose a workspace.")],
        validate_choice=False,
    )

    @classmethod
    def like(
        cls, development: ZoomApp, workspaces: Sequence[Workspace]
    ) -> "ProductionForm":
        """Return the form as typed, or filled in with what development has."""
        form = cls(
            data={
                "name": development.name,
                "scope_style": development.scope_style.value,
                "external": "yes" if development.joins_external else "no",
                "routing": development.routing.value,
                "workspace_id": str(development.workspace_id or ""),
            }
        )
        form.workspace_id.choices = [
            SelectChoice("", "Choose later"),
            *(SelectChoice(str(one.id), one.name) for one in workspaces),
        ]
        return form


class LinkForm(Form):
    """Which existing production app takes over."""

    production_id = HiddenField(validators=[validators.UUID("Choose a zoom app.")])


class ProgressForm(QueryForm):
    """Which users to show; a GET form, so it carries no token."""

    q = SearchField("Search", [Length(max=200)])

    @classmethod
    def asked(cls) -> "ProgressForm":
        """Return the form with what the query string says."""
        return cls(request.args)

    @property
    def search(self) -> str:
        """The search text; "" for all users."""
        return (self.q.data or "")[:200]

    @property
    def show(self) -> str:
        """Which users to show; by default those who have not reconnected."""
        wanted = request.args.get("show")
        return wanted if wanted in (MOVED, ALL) else NOT_YET
