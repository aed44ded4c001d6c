"""Forms of the Connect button: allowed return addresses, and what a link carries."""

from wtforms import StringField, TextAreaField
from wtforms.validators import Length

from dashboard.services.connect.button import WORDS
from dashboard.web.forms.base import Form, QueryForm

_LONGEST_LIST = 15_000


class OriginsForm(Form):
    """To which origins the button back may lead."""

    origins = TextAreaField(
        "Allowed origins",
        [Length(max=_LONGEST_LIST, message="The list is too long.")],
    )


class ButtonForm(QueryForm):
    """What the link of a button carries; a GET form, so it carries no token."""

    words = StringField(
        "Text", [Length(max=60, message="At most 60 characters.")], default=WORDS
    )
    user_ref = StringField("Your user ID", [Length(max=200)])
    tags = StringField("Tags", [Length(max=420)])
    return_url = StringField("Return address", [Length(max=500)])
