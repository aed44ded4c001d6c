"""Forms for staff and for signing in."""

from wtforms import (  # type: ignore[attr-defined]  # SelectChoice: newer than its stubs
    EmailField,
    HiddenField,
    PasswordField,
    RadioField,
    SelectChoice,
)
from wtforms.validators import DataRequired, Length

from dashboard.models.staff import Role
from dashboard.services.staff.accounts import LONGEST_PASSWORD, SHORTEST_PASSWORD
from dashboard.web.forms.base import Form

_NEEDS_EMAIL = DataRequired("Enter the email address.")
_ROLES = [
    SelectChoice(Role.ADMIN.value, "Admin"),
    SelectChoice(Role.SUPPORT.value, "Support"),
]


class SignInForm(Form):
    """Signing in; `next` is where the person wanted to go."""

    email = EmailField("Email", [_NEEDS_EMAIL, Length(max=254)])
    password = PasswordField(
        "Password",
        [DataRequired("Enter the password."), Length(max=LONGEST_PASSWORD)],
    )
    next = HiddenField()


class NewPersonForm(Form):
    """Adding a person."""

    email = EmailField("Email", [_NEEDS_EMAIL, Length(max=254)])
    role = RadioField("Role", choices=_ROLES, default=Role.SUPPORT.value)
    password = PasswordField(
        "First password",
        [DataRequired(f"Enter at least {SHORTEST_PASSWORD} characters.")],
        description=(
            f"At least {SHORTEST_PASSWORD} characters. Share it securely; "
            "we don't email it."
        ),
    )


class RoleForm(Form):
    """Changing a person's role."""

    role = RadioField("Role", choices=_ROLES)


class PasswordForm(Form):
    """Setting a new password."""

    password = PasswordField(
        "New password",
        [DataRequired(f"Enter at least {SHORTEST_PASSWORD} characters.")],
        description="Signs this person out everywhere.",
    )
