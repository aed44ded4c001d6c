"""Forms for staff, for signing in and for one's own account."""

from zoneinfo import available_timezones

from wtforms import (  # type: ignore[attr-defined]  # SelectChoice: newer than its stubs
    EmailField,
    HiddenField,
    PasswordField,
    RadioField,
    SelectChoice,
    SelectField,
    SelectMultipleField,
    StringField,
)
from wtforms.validators import DataRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from dashboard.models.staff import Role
from dashboard.services.staff.passwords import LONGEST, SHORTEST
from dashboard.services.staff.permissions import APPOINTED_BY_ADMINS
from dashboard.web.forms.base import Form

_NEEDS_EMAIL = DataRequired("Enter the email address.")
_CHOOSE = f"Enter at least {SHORTEST} characters."
_WHICH = f"At least {SHORTEST} characters, not easy to guess."
_ROLES = [
    SelectChoice(role.value, role.value.capitalize())
    for role in Role
    if role in APPOINTED_BY_ADMINS
]


def _zoom_apps() -> SelectMultipleField:
    return SelectMultipleField(
        "Limit to zoom apps (optional)",
        widget=ListWidget(),
        option_widget=CheckboxInput(),
        description=(
            "None chosen: all of them, later ones included. Only viewer, support and "
            "operator can be limited; an admin always sees everything."
        ),
    )


class SignInForm(Form):
    """Signing in; `next` is where the person wanted to go."""

    email = EmailField("Email", [_NEEDS_EMAIL, Length(max=254)])
    password = PasswordField(
        "Password",
        [DataRequired("Enter the password."), Length(max=LONGEST)],
    )
    next = HiddenField()


class NewPersonForm(Form):
    """Adding a person."""

    email = EmailField("Email", [_NEEDS_EMAIL, Length(max=254)])
    role = RadioField("Role", choices=_ROLES, default=Role.SUPPORT.value)
    zoom_apps = _zoom_apps()


class RoleForm(Form):
    """Changing a person's role."""

    role = RadioField("Role", choices=_ROLES)
    zoom_apps = _zoom_apps()


class NewPasswordForm(Form):
    """Choosing a password, with a link."""

    password = PasswordField(
        "New password", [DataRequired(_CHOOSE)], description=_WHICH
    )


class OwnPasswordForm(Form):
    """Changing one's own password."""

    current = PasswordField(
        "Current password",
        [DataRequired("Enter your current password."), Length(max=LONGEST)],
    )
    password = PasswordField(
        "New password",
        [DataRequired(_CHOOSE)],
        description=f"{_WHICH} Signs you out in other browsers.",
    )


class DisplayForm(Form):
    """How one's own pages are shown."""

    time_zone = SelectField(
        "Time zone",
        choices=[
            SelectChoice("", "UTC"),
            *[
                SelectChoice(name, name.replace("_", " "))
                for name in sorted(available_timezones())
                if "/" in name and not name.startswith(("Etc/", "posix/", "right/"))
            ],
        ],
        default="",
    )
    theme = RadioField(
        "Theme",
        choices=[
            SelectChoice("", "As the system"),
            SelectChoice("light", "Light"),
            SelectChoice("dark", "Dark"),
        ],
        default="",
    )


class CodeForm(Form):
    """A code of an authenticator app, or a recovery code; `next` as in signing in."""

    code = StringField("Code", [DataRequired("Enter the code."), Length(max=40)])
    next = HiddenField()


class PasskeyForm(Form):
    """A passkey that the browser made, or another name for one."""

    name = StringField(
        "Name",
        [DataRequired("Give the passkey a name."), Length(max=60)],
        description="So that you know it in the list, for example the device.",
    )
    credential = HiddenField()


class UnlockForm(Form):
    """An address whose wait is to end."""

    address = StringField(
        "Network address", [DataRequired("Enter the address."), Length(max=64)]
    )
