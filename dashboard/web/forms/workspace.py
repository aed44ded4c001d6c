"""Forms for workspaces. Their secrets are never written back into a page."""

from wtforms import (  # type: ignore[attr-defined]  # SelectChoice: newer than its stubs
    BooleanField,
    PasswordField,
    SelectChoice,
    SelectField,
    StringField,
)
from wtforms.validators import DataRequired, Length

from dashboard.pasted import LONGEST
from dashboard.services.recall.workspaces import REGION_LABELS
from dashboard.web.forms.base import Form

_NAME = Length(max=80, message="The name can have at most 80 characters.")
_LENGTH = Length(max=LONGEST * 2, message="This value is too long. Copy it again.")


class NewWorkspaceForm(Form):
    """Adding a workspace."""

    name = StringField("Name", [DataRequired("Enter a name."), _NAME])
    region = SelectField(
        "Region", choices=[SelectChoice(*one) for one in REGION_LABELS.items()]
    )
    api_key = PasswordField("API key", [DataRequired("Enter the API key."), _LENGTH])


class WorkspaceForm(Form):
    """Changing one; an empty secret keeps what is stored."""

    name = StringField("Name", [DataRequired("Enter a name."), _NAME])
    api_key = PasswordField("API key", [_LENGTH])
    verification_secret = PasswordField("Verification secret", [_LENGTH])
    requires_signature = BooleanField("Require Recall's signature on token requests")
