"""The form about what a zoom app's hosted pages say."""

from flask_wtf.file import FileField
from wtforms import BooleanField, StringField, TextAreaField
from wtforms.validators import Length

from dashboard.services.connect.page_designs import Texts
from dashboard.web.forms.base import Form


class PageDesignForm(Form):
    """Plain texts and a logo; an empty text is the house's own."""

    organisation = StringField(
        "Organization", [Length(max=80, message="At most 80 characters.")]
    )
    intro = TextAreaField(
        "Intro", [Length(max=2000, message="At most 2,000 characters.")]
    )
    contact = StringField(
        "Support contact", [Length(max=200, message="At most 200 characters.")]
    )
    logo = FileField("Logo")
    removes_logo = BooleanField("Remove the logo")

    def texts(self) -> Texts:
        """Return what was typed."""
        return Texts(
            organisation=self.organisation.data or "",
            intro=self.intro.data or "",
            contact=self.contact.data or "",
        )
