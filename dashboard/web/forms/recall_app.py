"""Forms about apps in Recall. Secrets are never written back into a page."""

from wtforms import (  # type: ignore[attr-defined]  # SelectChoice: newer than its stubs
    PasswordField,
    RadioField,
    SelectChoice,
)
from wtforms.validators import DataRequired

from dashboard.models.zoom_app import Environment, Routing
from dashboard.web.forms.zoom_app import LENGTH, ROUTINGS, NewZoomAppForm


class TakeOverForm(NewZoomAppForm):
    """What Recall does not know of an app; an empty secret is taken from there."""

    # No default: Recall does not tell, and it cannot be changed afterwards.
    environment = RadioField(
        "Environment",
        [DataRequired("Choose one.")],
        choices=[
            SelectChoice(Environment.DEVELOPMENT.value, "Development"),
            SelectChoice(Environment.PRODUCTION.value, "Production"),
        ],
    )
    kind = None  # type: ignore[assignment]  # WTForms' way to leave a field out
    client_id = None  # type: ignore[assignment]  # as above
    client_secret = PasswordField("Client secret", [LENGTH])
    secret_token = PasswordField("Secret token", [LENGTH])
    routing = RadioField(
        "Routing of webhooks",
        [DataRequired("Choose one.")],
        choices=ROUTINGS,
        default=Routing.DIRECT.value,
    )
