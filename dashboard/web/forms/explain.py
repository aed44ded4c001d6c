"""The one box of Explain."""

from wtforms import TextAreaField
from wtforms.validators import DataRequired, Length

from dashboard.services.explain.questions import LONGEST
from dashboard.web.forms.base import Form


class ExplainForm(Form):
    """Posted: what is pasted is private, and addresses end in logs."""

    q = TextAreaField(
        "Email, ID, meeting number or join link",
        [
            DataRequired("Paste something first."),
            Length(
                max=LONGEST, message=f"Paste at most {LONGEST:,} characters at once."
            ),
        ],
    )
