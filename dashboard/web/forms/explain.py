"""The one box of Explain."""

from flask_wtf import FlaskForm
from wtforms import TextAreaField
from wtforms.validators import DataRequired, Length

from dashboard.services.explain.questions import LONGEST


class ExplainForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF ships no types
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
