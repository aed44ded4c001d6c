"""Forms of the customer's endpoints."""

from collections.abc import Sequence
from uuid import UUID

from wtforms import (  # type: ignore[attr-defined]  # SelectChoice: newer than its stubs
    PasswordField,
    SelectChoice,
    SelectField,
    SelectMultipleField,
)
from wtforms.validators import DataRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from dashboard.clients.http.public_only import LONGEST_URL
from dashboard.services.events.kinds import KINDS
from dashboard.web.forms.base import Form

_NO_URL = "Enter the URL."


def _choices(apps: Sequence[tuple[UUID, str]]) -> list[SelectChoice]:
    return [SelectChoice(str(its_id), name) for its_id, name in apps]


class EndpointForm(Form):
    """An endpoint for events."""

    url = PasswordField("URL", [DataRequired(_NO_URL), Length(max=LONGEST_URL)])
    events = SelectMultipleField(
        "Events",
        [DataRequired("Choose at least one event.")],
        widget=ListWidget(),
        option_widget=CheckboxInput(),
        choices=[
            SelectChoice(name, f"{name}: {kind.about}") for name, kind in KINDS.items()
        ],
    )
    zoom_apps = SelectMultipleField(
        "Only of these Zoom apps",
        widget=ListWidget(),
        option_widget=CheckboxInput(),
    )

    def offer(self, apps: Sequence[tuple[UUID, str]]) -> None:
        """Let these zoom apps be chosen."""
        self.zoom_apps.choices = _choices(apps)


class DestinationForm(Form):
    """A destination for copies of a zoom app's webhooks."""

    zoom_app = SelectField("Zoom app")
    url = PasswordField("URL", [DataRequired(_NO_URL), Length(max=LONGEST_URL)])

    def offer(self, apps: Sequence[tuple[UUID, str]]) -> None:
        """Let these zoom apps be chosen."""
        self.zoom_app.choices = _choices(apps)
