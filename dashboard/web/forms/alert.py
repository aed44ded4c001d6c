"""Forms for alert channels. An address is never written back into a page."""

from collections.abc import Sequence
from uuid import UUID

from wtforms import (
    PasswordField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
)
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange
from wtforms.widgets import CheckboxInput, ListWidget

from dashboard.models.alert import AlertChannel, AlertKind, ChannelKind, Pace
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.alert_channels import channels, rules
from dashboard.services.alert_channels.rules import Rule
from dashboard.web.forms.base import Form, WholeNumberField

_LASTS = f"A problem lasts 0 to {rules.LONGEST_LASTS:,} minutes before it is said."
_URL_LENGTH = Length(max=4000, message="This value is too long. Copy it again.")


def _checks(label: str, choices: dict[str, str] | None = None) -> SelectMultipleField:
    return SelectMultipleField(
        label,
        choices=choices,
        validate_choice=choices is not None,
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )


class ChannelForm(Form):
    """Changing a channel; an empty address keeps what is stored."""

    name = StringField(
        "Name", [Length(max=100, message="The name can have at most 100 characters.")]
    )
    url = PasswordField("Address", [_URL_LENGTH])
    severity = RadioField(
        "What is said", choices=dict(rules.SEVERITIES), default=rules.WARNING
    )
    kinds = _checks(
        "Only these kinds (none: all)",
        {kind.value: words for kind, words in rules.KIND_WORDS.items()},
    )
    zoom_apps = _checks("Only these zoom apps (none: all)")
    lasts_minutes = WholeNumberField(
        "Must last (minutes)",
        [InputRequired(_LASTS), NumberRange(0, rules.LONGEST_LASTS, _LASTS)],
        default=1,
    )
    pace = RadioField(
        "When",
        choices={
            Pace.AT_ONCE.value: "At once",
            Pace.DAILY.value: "One digest a day",
        },
        default=Pace.AT_ONCE.value,
    )
    daily_at = StringField("Digest at", [Length(max=8)], default="08:00")
    quiet_from = StringField("Quiet hours from", [Length(max=8)])
    quiet_to = StringField("Quiet hours to", [Length(max=8)])
    time_zone = StringField("Time zone", [Length(max=64)], default="UTC")

    def offer(self, zoom_apps: Sequence[ZoomApp]) -> None:
        """Offer the zoom apps in use."""
        self.offered = {
            str(app.id): f"{app.name} ({app.environment.value})"
            for app in zoom_apps
            if app.retired_at is None
        }
        self.zoom_apps.choices = self.offered

    def rule(self) -> Rule:
        """Return what was chosen.

        Raises:
            InvalidInputError: A time of the day is none.
        """
        begins, ends = self.quiet_from.data or "", self.quiet_to.data or ""
        quiet = None
        if begins.strip() or ends.strip():
            quiet = (
                rules.minutes_of(begins, field="quiet_from"),
                rules.minutes_of(ends, field="quiet_to"),
            )
        return Rule(
            kinds=[AlertKind(each) for each in self.kinds.data or []],
            zoom_apps=[
                UUID(each) for each in self.zoom_apps.data or [] if each in self.offered
            ],
            severity=self.severity.data or rules.WARNING,
            lasts_minutes=self.lasts_minutes.data or 0,
            quiet=quiet,
            time_zone=(self.time_zone.data or "").strip() or "UTC",
            pace=Pace(self.pace.data or Pace.AT_ONCE),
            daily_at=rules.minutes_of(self.daily_at.data or "08:00", field="daily_at"),
        )


class NewChannelForm(ChannelForm):
    """Adding a channel."""

    kind = SelectField(
        "Kind",
        choices={kind.value: label for kind, label in channels.KIND_LABELS.items()},
    )
    url = PasswordField("Address", [DataRequired("Enter the address."), _URL_LENGTH])

    def chosen(self) -> ChannelKind:
        """Return the kind."""
        return ChannelKind(self.kind.data)


def filled(channel: AlertChannel) -> ChannelForm:
    """Return the form with what a channel has."""
    rule = rules.of(channel)
    begins, ends = rule.quiet or (None, None)
    return ChannelForm(
        data={
            "name": channel.name,
            "severity": rule.severity,
            "kinds": [kind.value for kind in rule.kinds],
            "zoom_apps": [str(each) for each in rule.zoom_apps],
            "lasts_minutes": rule.lasts_minutes,
            "pace": rule.pace.value,
            "daily_at": rules.clock_words(rule.daily_at),
            "quiet_from": "" if begins is None else rules.clock_words(begins),
            "quiet_to": "" if ends is None else rules.clock_words(ends),
            "time_zone": rule.time_zone,
        }
    )
