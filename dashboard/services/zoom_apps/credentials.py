"""What a person enters about a Zoom credential pair, and whether it can be taken."""

from dataclasses import dataclass, replace
from uuid import UUID

from pydantic import SecretStr

from dashboard.errors import InvalidInputError
from dashboard.models.zoom_app import (
    Environment,
    Kind,
    Routing,
    ScopeStyle,
    TokenCustody,
)
from dashboard.pasted import require_whole, trim, trim_secret

_NAME_LENGTH = 80


@dataclass(frozen=True, kw_only=True)
class NewZoomApp:
    """What a person enters about one Zoom credential pair, before it is tidied.

    Attributes:
        workspace_id: Where its Recall app is to be made, when that is known already.
        succeeds_id: The zoom app that it is to replace.
    """

    name: str
    environment: Environment
    kind: Kind
    client_id: str
    client_secret: SecretStr
    secret_token: SecretStr
    scope_style: ScopeStyle = ScopeStyle.GRANULAR
    routing: Routing = Routing.RELAY
    token_custody: TokenCustody = TokenCustody.RECALL
    workspace_id: UUID | None = None
    succeeds_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class ZoomAppChanges:
    """What a person changes; None keeps a secret as it is."""

    name: str
    routing: Routing
    client_secret: SecretStr | None = None
    secret_token: SecretStr | None = None


def tidy(values: NewZoomApp) -> tuple[NewZoomApp, list[str]]:
    """Remove white space pasted around the values.

    Returns:
        The values, and the labels of those that had some ("client secret").

    Raises:
        InvalidInputError: A value is missing, too long, broken, or another's.
    """
    tidied = replace(
        values,
        name=trim(values.name),
        client_id=trim(values.client_id),
        client_secret=trim_secret(values.client_secret),
        secret_token=trim_secret(values.secret_token),
    )
    pairs = {
        "client ID": (values.client_id, tidied.client_id),
        "client secret": (values.client_secret, tidied.client_secret),
        "secret token": (values.secret_token, tidied.secret_token),
    }
    _require_name(tidied.name)
    require_whole(tidied.client_id, label="client ID", field="client_id")
    _require_secrets(tidied.client_id, tidied.client_secret, tidied.secret_token)
    return tidied, [label for label, (was, is_) in pairs.items() if was != is_]


def tidy_changes(
    changes: ZoomAppChanges, client_id: str
) -> tuple[ZoomAppChanges, list[str]]:
    """Remove white space pasted around the changed values; as `tidy`.

    Raises:
        InvalidInputError: A value is missing, too long, broken, or another's.
    """
    tidied = replace(
        changes,
        name=trim(changes.name),
        client_secret=changes.client_secret and trim_secret(changes.client_secret),
        secret_token=changes.secret_token and trim_secret(changes.secret_token),
    )
    _require_name(tidied.name)
    _require_secrets(client_id, tidied.client_secret, tidied.secret_token)
    pairs = {
        "client secret": (changes.client_secret, tidied.client_secret),
        "secret token": (changes.secret_token, tidied.secret_token),
    }
    return tidied, [label for label, (was, is_) in pairs.items() if was != is_]


def _require_name(name: str) -> None:
    if not name:
        raise InvalidInputError("Give it a name that staff will know.", field="name")
    if len(name) > _NAME_LENGTH:
        raise InvalidInputError(
            f"The name may have {_NAME_LENGTH} characters.", field="name"
        )


def _require_secrets(
    client_id: str, client: SecretStr | None, token: SecretStr | None
) -> None:
    if client is not None:
        text = client.get_secret_value()
        require_whole(text, label="client secret", field="client_secret")
        if text == client_id:
            raise InvalidInputError(
                "This is the client ID again. Copy the client secret under it.",
                field="client_secret",
            )
    if token is None:
        return
    text = token.get_secret_value()
    require_whole(text, label="secret token", field="secret_token")
    if text == client_id or token == client:
        raise InvalidInputError(
            "This is one of the app credentials again. Copy Secret Token from "
            "Features > Access.",
            field="secret_token",
        )
