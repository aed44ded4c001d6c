"""The form for a test bot."""

from wtforms import StringField
from wtforms.validators import DataRequired, Length

from dashboard.web.forms.base import Form


class BotTestForm(Form):
    """Which meeting a bot is sent to."""

    meeting = StringField(
        "Meeting",
        [
            DataRequired("Enter a meeting number or link."),
            Length(max=800, message="This is too long for a meeting link."),
        ],
    )
