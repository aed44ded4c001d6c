"""The form that makes a token of the API."""

from collections.abc import Sequence
from uuid import UUID

from wtforms import SelectField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length, NumberRange
from wtforms.widgets import CheckboxInput, ListWidget

from dashboard.models.zoom_app import ZoomApp
from dashboard.services.api_tokens.tokens import (
    LASTS_DAYS,
    LONGEST_DAYS,
    LONGEST_NAME,
    SCOPE_WORDS,
)
from dashboard.web.forms.base import Form, WholeNumberField

_DAYS = f"A token is valid for 1 to {LONGEST_DAYS:,} days."


class ApiTokenForm(Form):
    """A name, what it may do, how long, and of which zoom app."""

    name = StringField(
        "Name",
        [
            InputRequired("Enter a name."),
            Length(max=LONGEST_NAME, message=f"At most {LONGEST_NAME} characters."),
        ],
    )
    scopes = SelectMultipleField(
        "Scopes",
        [InputRequired("Choose at least one scope.")],
        choices={
            scope.value: f"{scope.value}: {words}"
            for scope, words in SCOPE_WORDS.items()
        },
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    app = SelectField("Zoom app", default="", validate_choice=False)
    days = WholeNumberField(
        "Valid for (days)",
        [InputRequired(_DAYS), NumberRange(1, LONGEST_DAYS, _DAYS)],
        default=LASTS_DAYS,
    )

    def offer(self, zoom_apps: Sequence[ZoomApp]) -> None:
        """Offer the zoom apps that it may be limited to."""
        names = {
            str(app.id): f"{app.name} ({app.environment.value})" for app in zoom_apps
        }
        self.app.choices = {"": "All zoom apps", **names}

    def zoom_app_id(self) -> UUID | None:
        """Return the only zoom app it is to see.

        Raises:
            ValueError: What was sent is no id.
        """
        return UUID(self.app.data) if self.app.data else None
