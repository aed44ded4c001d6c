"""Forms about zoom apps. Secrets are never written back into a page."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from uuid import UUID

from wtforms import (  # type: ignore[attr-defined]  # SelectChoice: newer than its stubs
    BooleanField,
    HiddenField,
    PasswordField,
    RadioField,
    SelectChoice,
    SelectField,
    StringField,
    validators,
)
from wtforms.validators import DataRequired, Length

from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import (
    Environment,
    Kind,
    Routing,
    ScopeStyle,
    TokenCustody,
    ZoomCloud,
)
from dashboard.pasted import LONGEST
from dashboard.web.forms.base import Form

_NAME = Length(max=80, message="Use at most 80 characters for the name.")
LENGTH = Length(max=LONGEST * 2, message="This is too long. Copy it again.")
ROUTINGS = [
    SelectChoice(
        Routing.RELAY.value,
        "Relay: Zoom sends webhooks here, the dashboard forwards them to Recall",
    ),
    SelectChoice(Routing.DIRECT.value, "Direct: Zoom sends webhooks to Recall"),
]
EXTERNAL = "Do bots join meetings hosted by other Zoom accounts?"
_LONGEST_TOKEN = 8000
YES_NO = [SelectChoice("no", "No"), SelectChoice("yes", "Yes")]


class WhichApp(StrEnum):
    """Which app of Zoom's the integration uses."""

    OAUTH = "oauth"
    SDK = "sdk"
    NEW = "new"
    FOR_ME = "for_me"


def _fits_the_app(form: Form, field: RadioField) -> None:
    """Refuse what a Meeting SDK app can't be (docs/contracts/recall.md 7.3)."""
    is_sdk = form["app"].data == WhichApp.SDK.value
    if is_sdk and field.data == Kind.ACCOUNT_LEVEL.value:
        raise validators.ValidationError(
            "A Meeting SDK app can only be user-managed. Choose that, or another app."
        )


def _can_be_created(form: Form, field: RadioField) -> None:
    """Refuse what no manifest has (docs/contracts/zoom.md 12)."""
    is_legacy = field.data == ScopeStyle.LEGACY.value
    if is_legacy and form["app"].data in {WhichApp.NEW.value, WhichApp.FOR_ME.value}:
        raise validators.ValidationError(
            "Zoom makes new apps with granular scopes only. Choose that."
        )


def _kind(*more: Callable[[Form, RadioField], None]) -> RadioField:
    return RadioField(
        "Who connects",
        [DataRequired("Choose one."), *more],
        choices=[
            SelectChoice(Kind.USER_LEVEL.value, "Each user (user-managed)"),
            SelectChoice(
                Kind.ACCOUNT_LEVEL.value, "A Zoom admin, for all (admin-managed)"
            ),
        ],
        default=Kind.USER_LEVEL.value,
    )


def _scope_style(*more: Callable[[Form, RadioField], None]) -> RadioField:
    return RadioField(
        "Scopes",
        [DataRequired("Choose one."), *more],
        choices=[
            SelectChoice(ScopeStyle.GRANULAR.value, "Granular"),
            SelectChoice(ScopeStyle.LEGACY.value, "Legacy"),
        ],
        default=ScopeStyle.GRANULAR.value,
    )


_OURS = [
    SelectChoice(TokenCustody.RECALL.value, "Recall"),
    SelectChoice(TokenCustody.DASHBOARD.value, "The dashboard"),
]


def _custody(*, has_own_server: bool = True) -> RadioField:
    """Return the choice of token storage.

    An app that is made here has this dashboard's redirect URL, so its users connect
    here.
    """
    own = SelectChoice(TokenCustody.OWN_SERVER.value, "Your own server")
    return RadioField(
        "Token storage",
        [DataRequired("Choose one.")],
        choices=[*_OURS, own] if has_own_server else _OURS,
        default=TokenCustody.RECALL.value,
    )


def _external() -> RadioField:
    return RadioField(
        EXTERNAL, [DataRequired("Choose one.")], choices=YES_NO, default="no"
    )


def _cloud(*, is_optional: bool = False) -> RadioField:
    """Return the choice of Zoom's service; an optional one has no default."""
    return RadioField(
        "Zoom service",
        [validators.Optional() if is_optional else DataRequired("Choose one.")],
        choices=[
            SelectChoice(ZoomCloud.COMMERCIAL.value, "Zoom"),
            SelectChoice(ZoomCloud.GOVERNMENT.value, "Zoom for Government"),
        ],
        default=None if is_optional else ZoomCloud.COMMERCIAL.value,
    )


class WhichAppForm(Form):
    """Which Zoom app, and what decides its scopes; sent by GET."""

    class Meta:
        """It changes nothing, so the address needs no token."""

        csrf = False

    app = RadioField(
        "Which Zoom app?",
        [DataRequired("Choose one.")],
        choices=[
            SelectChoice(WhichApp.NEW.value, "A new one"),
            SelectChoice(WhichApp.FOR_ME.value, "A new one, created for you"),
            SelectChoice(WhichApp.OAUTH.value, "The OAuth app you have"),
            SelectChoice(WhichApp.SDK.value, "The Meeting SDK app of your bots"),
        ],
        default=WhichApp.NEW.value,
    )
    kind = _kind(_fits_the_app)
    scope_style = _scope_style(_can_be_created)
    external = _external()
    cloud = _cloud()


class ForMeForm(Form):
    """Creating an app at Zoom: with a Marketplace token, or with what gets one.

    Attributes:
        server_account_id: Of a Server-to-Server OAuth app, like the two after it.
    """

    name = StringField(
        "App name",
        [
            DataRequired("Enter a name."),
            Length(max=49, message="Zoom takes at most 49 characters."),
        ],
    )
    contact_name = StringField(
        "Contact person", [DataRequired("Enter a name."), Length(max=100)]
    )
    contact_email = StringField(
        "Contact email", [DataRequired("Enter an email address."), Length(max=254)]
    )
    company = StringField("Company", [DataRequired("Enter a name."), Length(max=100)])
    custody = _custody(has_own_server=False)
    server_account_id = StringField("Account ID", [LENGTH])
    server_client_id = StringField("Client ID", [LENGTH])
    server_client_secret = PasswordField("Client secret", [LENGTH])
    token = PasswordField(
        "Marketplace token",
        [Length(max=_LONGEST_TOKEN, message="This is too long. Copy it again.")],
    )
    kind = HiddenField(
        validators=[validators.AnyOf([one.value for one in Kind], "Choose one.")],
        default=Kind.USER_LEVEL.value,
    )
    external = HiddenField(
        validators=[validators.AnyOf(["no", "yes"], "Choose one.")], default="no"
    )
    cloud = HiddenField(
        validators=[validators.AnyOf([one.value for one in ZoomCloud], "Choose one.")],
        default=ZoomCloud.COMMERCIAL.value,
    )


class MadeForMeForm(Form):
    """Finishing an app that was created at Zoom.

    Attributes:
        made: What is known of it, sealed for the person who had it created.
    """

    client_id = StringField("Client ID", [LENGTH])
    client_secret = PasswordField("Client secret", [LENGTH])
    secret_token = PasswordField("Secret token", [LENGTH])
    made = HiddenField(validators=[Length(max=_LONGEST_TOKEN * 20)])


class NewZoomAppForm(Form):
    """Entering a credential pair."""

    name = StringField("Name", [DataRequired("Enter a name."), _NAME])
    environment = RadioField(
        "Environment",
        [DataRequired("Choose one.")],
        choices=[
            SelectChoice(Environment.DEVELOPMENT.value, "Development"),
            SelectChoice(Environment.PRODUCTION.value, "Production"),
        ],
        default=Environment.DEVELOPMENT.value,
    )
    kind = _kind()
    scope_style = _scope_style()
    external = _external()
    custody = _custody()
    cloud = _cloud()
    client_id = StringField("Client ID", [DataRequired("Enter the client ID."), LENGTH])
    client_secret = PasswordField(
        "Client secret", [DataRequired("Enter the client secret."), LENGTH]
    )
    secret_token = PasswordField("Secret token", [LENGTH])
    kept_token = HiddenField(validators=[Length(max=LONGEST * 20)])
    """The secret token that was typed before, sealed for the person who typed it."""


class ZoomAppForm(Form):
    """Changing one; an empty secret keeps what is stored."""

    name = StringField("Name", [DataRequired("Enter a name."), _NAME])
    routing = RadioField(
        "Routing of webhooks", [DataRequired("Choose one.")], choices=ROUTINGS
    )
    external = RadioField(EXTERNAL, [validators.Optional()], choices=YES_NO)
    cloud = _cloud(is_optional=True)
    client_secret = PasswordField("Client secret", [LENGTH])
    secret_token = PasswordField("Secret token", [LENGTH])


class CustodyForm(Form):
    """Changing the token storage."""

    to = HiddenField(
        validators=[
            validators.AnyOf([one.value for one in TokenCustody], "Choose one.")
        ]
    )
    is_understood = BooleanField("I understand that each user will need to reconnect")


class CreateInRecallForm(Form):
    """Which workspace to create the app in."""

    workspace_id = SelectField(
        "Workspace", [validators.UUID("Choose a workspace.")], validate_choice=False
    )

    def choose_from(self, workspaces: Sequence[Workspace], chosen: UUID | None) -> None:
        """Offer these; of two or more none is chosen before somebody chooses.

        It is final, so that it is not left to the order of the list.
        """
        choices = [SelectChoice(str(one.id), one.name) for one in workspaces]
        if chosen is None and len(choices) > 1:
            choices.insert(0, SelectChoice("", "Choose a workspace"))
        self.workspace_id.choices = choices
        self.workspace_id.data = str(chosen) if chosen else ""


class AdoptForm(Form):
    """Which Recall app to adopt."""

    workspace_id = HiddenField(validators=[validators.UUID("Choose a workspace.")])
    recall_app_id = HiddenField(validators=[validators.UUID("Choose an app.")])


class MarketplaceIdForm(Form):
    """Zoom's own ID of the app; empty to forget it."""

    app_id = StringField("App ID", [Length(max=500, message="This is too long.")])


class OwnServerForm(Form):
    """The callback URL of the customer's own token server; it holds a secret."""

    url = PasswordField(
        "Callback URL", [DataRequired("Enter the URL."), Length(max=1000)]
    )


class OwnUserForm(Form):
    """One user, as the customer's server knows them."""

    user = StringField(
        "User", [DataRequired("Enter a user."), Length(max=200, message="Too long.")]
    )
