"""The operations of Recall's API and their rate limits.

Source: docs/contracts/recall.md 1.5, the rate limits on each operation's reference page
("per workspace per minute"), checked 2026-11-23.
"""

from enum import StrEnum

_FEW, _MANY = 60, 300


class Operation(StrEnum):
    """One endpoint of Recall's API with one method."""

    BOTS_LIST = "bots.list"
    BOTS_CREATE = "bots.create"
    BOTS_RETRIEVE = "bots.retrieve"
    APPS_LIST = "apps.list"
    APPS_CREATE = "apps.create"
    APPS_RETRIEVE = "apps.retrieve"
    APPS_UPDATE = "apps.update"
    CREDENTIALS_LIST = "credentials.list"
    CREDENTIALS_CREATE = "credentials.create"
    CREDENTIALS_RETRIEVE = "credentials.retrieve"
    CREDENTIALS_DESTROY = "credentials.destroy"
    CREDENTIALS_ACCESS_TOKEN = "credentials.access_token"  # noqa: S105 - a name
    CREDENTIALS_VALIDATE = "credentials.validate"
    CREDENTIALS_SYNC_MEETINGS = "credentials.sync_meetings"
    LOGS_APPS = "logs.apps"
    LOGS_CREDENTIALS = "logs.credentials"
    LOGS_MAPPINGS = "logs.mappings"

    @property
    def a_minute(self) -> int:
        """How many calls a minute Recall allows one workspace."""
        return _FEW if self in _FEW_A_MINUTE else _MANY


_FEW_A_MINUTE = frozenset(
    {
        Operation.APPS_LIST,
        Operation.BOTS_LIST,
        Operation.CREDENTIALS_LIST,
        Operation.LOGS_APPS,
        Operation.LOGS_MAPPINGS,
    }
)
