"""The form for domain verification."""

from wtforms import StringField, TextAreaField
from wtforms.validators import Length

from dashboard.web.forms.base import Form

_LONG = Length(max=5000, message="This is too long. Copy it again from Zoom.")


class DomainForm(Form):
    """Zoom's file and tag; each may be empty."""

    file_name = StringField("File name", [_LONG])
    file_content = TextAreaField("File content", [_LONG])
    tag = TextAreaField("Meta tag", [_LONG])
