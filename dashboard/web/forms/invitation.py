"""Forms about links made for one person, and their filters in the query string."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from flask import request
from flask_wtf.file import FileField
from wtforms import (
    BooleanField,
    EmailField,
    HiddenField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from dashboard.models.connection import AttemptOutcome
from dashboard.models.invitation import InvitationState
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.connect import attempts
from dashboard.services.connect.attempts import OUTCOMES
from dashboard.services.invitations import invitations
from dashboard.services.invitations.invitations import LASTS_DAYS, LONGEST_DAYS
from dashboard.services.user_mail.mails import LONGEST_REMINDER_DAYS
from dashboard.web.forms.base import Form, QueryForm, WholeNumberField

_DAYS = f"A link is valid for 1 to {LONGEST_DAYS} days."
_REMINDER = f"Remind after at most {LONGEST_REMINDER_DAYS} days; 0: never."
_LONGEST_LIST = 500_000


class _Making(Form):
    """What one link and a list of them have in common.

    `batch` is of the form as it was opened: sent twice, it makes its links once.
    """

    app = SelectField("Zoom app", validate_choice=False)
    expires_days = WholeNumberField(
        "Valid for (days)",
        [
            InputRequired(_DAYS),
            NumberRange(1, LONGEST_DAYS, _DAYS),
        ],
        default=LASTS_DAYS,
    )
    return_url = StringField("Return address (optional)", [Optional(), Length(max=500)])
    sends = BooleanField("Send the link by email")
    remind_days = WholeNumberField(
        "Remind once after (days)",
        [Optional(), NumberRange(0, LONGEST_REMINDER_DAYS, _REMINDER)],
        default=0,
    )
    batch = HiddenField(default=lambda: str(uuid4()))

    def offer(self, zoom_apps: Sequence[ZoomApp]) -> None:
        """Offer the zoom apps that take connections."""
        self.offered = {
            str(app.id): _name(app) for app in zoom_apps if app.retired_at is None
        }
        self.app.choices = self.offered

    def zoom_app_id(self) -> UUID | None:
        """Return the chosen zoom app's id; None if it was not offered."""
        return _uuid(self.app.data) if self.app.data in self.offered else None

    def batch_id(self) -> UUID:
        """Return the form's own id."""
        return _uuid(self.batch.data) or uuid4()


class InvitationForm(_Making):
    """Inviting one person."""

    email = EmailField("Email", [Optional(), Length(max=254)])
    user_ref = StringField("Your user ID (optional)", [Optional(), Length(max=200)])
    tags = StringField("Tags (optional)", [Optional(), Length(max=420)])


class ListForm(_Making):
    """Inviting many: a file or what is pasted."""

    people = TextAreaField(
        "People",
        [Length(max=_LONGEST_LIST, message="The list is too long. Split it.")],
    )
    file = FileField("Or upload a CSV file")

    def __init__(self, *args: Any, **named: Any) -> None:  # noqa: ANN401 - WTForms' own
        super().__init__(*args, **named)
        for field in self:  # the other form is on the same page
            field.id = f"list-{field.id}"


class InvitationFilter(QueryForm):
    """A GET form: it changes nothing, so it carries no token."""

    state = SelectField("State", default="", validate_choice=False)
    app = SelectField("Zoom app", default="", validate_choice=False)

    def filters(self) -> invitations.Filters:
        """Return what is asked for; what makes no sense is left out."""
        known = set(InvitationState)
        state = InvitationState(self.state.data) if self.state.data in known else None
        return invitations.Filters(state=state, zoom_app_id=_uuid(self.app.data))


class AttemptFilter(QueryForm):
    """A GET form, like the one above, for connect attempts."""

    outcome = SelectField("Outcome", default="", validate_choice=False)
    app = SelectField("Zoom app", default="", validate_choice=False)

    def filters(self) -> attempts.Filters:
        """Return what is asked for; what makes no sense is left out."""
        known, asked = set(AttemptOutcome), self.outcome.data
        outcome = AttemptOutcome(asked) if asked in known else None
        return attempts.Filters(outcome=outcome, zoom_app_id=_uuid(self.app.data))


def invitation_filter(zoom_apps: Sequence[ZoomApp]) -> InvitationFilter:
    """Return the form with what the query string says."""
    form = InvitationFilter(request.args)
    words = {state.value: word for state, (_, word) in invitations.STATE_WORDS.items()}
    form.state.choices = {"": "All states", **words}
    form.app.choices = _apps(zoom_apps)
    return form


def attempt_filter(zoom_apps: Sequence[ZoomApp]) -> AttemptFilter:
    """Return the form with what the query string says."""
    form = AttemptFilter(request.args)
    words = {outcome.value: text.label for outcome, text in OUTCOMES.items()}
    form.outcome.choices = {"": "Any", **words}
    form.app.choices = _apps(zoom_apps)
    return form


def _apps(zoom_apps: Sequence[ZoomApp]) -> dict[str, str]:
    return {"": "All zoom apps", **{str(app.id): _name(app) for app in zoom_apps}}


def _name(app: ZoomApp) -> str:
    return f"{app.name} ({app.environment.value})"


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None
