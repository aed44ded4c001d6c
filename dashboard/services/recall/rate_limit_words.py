"""What is asked of Recall, and why not just now, in sentences for people."""

import math
from datetime import UTC, datetime

from dashboard.clients.recall.operations import Operation

_ASKS = {
    Operation.APPS_LIST: "ask Recall for its list of apps",
    Operation.APPS_CREATE: "make apps in Recall",
    Operation.APPS_RETRIEVE: "look at apps in Recall",
    Operation.APPS_UPDATE: "change apps in Recall",
    Operation.CREDENTIALS_LIST: "ask Recall for its list of credentials",
    Operation.CREDENTIALS_CREATE: "hand codes to Recall",
    Operation.CREDENTIALS_RETRIEVE: "look at credentials in Recall",
    Operation.CREDENTIALS_DESTROY: "delete credentials in Recall",
    Operation.CREDENTIALS_ACCESS_TOKEN: "ask Recall for access tokens",
    Operation.CREDENTIALS_VALIDATE: "have Recall try credentials",
    Operation.CREDENTIALS_SYNC_MEETINGS: "have Recall read meetings again",
    Operation.LOGS_APPS: "read Recall's log of apps",
    Operation.LOGS_CREDENTIALS: "read Recall's log of credentials",
    Operation.LOGS_MAPPINGS: "ask Recall for mapped meetings",
}
NAMES = {
    Operation.APPS_LIST: "List of apps",
    Operation.APPS_CREATE: "New apps",
    Operation.APPS_RETRIEVE: "Looks at an app",
    Operation.APPS_UPDATE: "Changes of an app",
    Operation.CREDENTIALS_LIST: "List of credentials",
    Operation.CREDENTIALS_CREATE: "New credentials",
    Operation.CREDENTIALS_RETRIEVE: "Looks at a credential",
    Operation.CREDENTIALS_DESTROY: "Deleted credentials",
    Operation.CREDENTIALS_ACCESS_TOKEN: "Access tokens",
    Operation.CREDENTIALS_VALIDATE: "Credentials tried again",
    Operation.CREDENTIALS_SYNC_MEETINGS: "Syncs of meetings",
    Operation.LOGS_APPS: "Log of apps",
    Operation.LOGS_CREDENTIALS: "Log of credentials",
    Operation.LOGS_MAPPINGS: "Mapped meetings",
}
"""Each operation as the title of a row."""


def full(operation: Operation, *, stops_at: int, wait_s: float) -> str:
    """Say that a budget is spent; nothing was sent.

    Args:
        operation: What was to be asked.
        stops_at: How many calls a minute the caller may see: Recall's limit, or for
            background work its share.
        wait_s: Until there is room for one, in seconds.
    """
    asks, limit = _ASKS[operation], operation.a_minute
    if stops_at < limit:
        said = (
            f"Background work stops at {stops_at} of the {limit} times a minute that "
            f"this workspace may {asks}."
        )
    else:
        said = f"This workspace may {asks} {limit} times a minute, and did."
    return f"{said} Next in {_seconds(wait_s)}. Nothing was changed."


def paused(operation: Operation, *, said_at: datetime, wait_s: float) -> str:
    """Say that Recall asked to wait, which is not over yet; nothing was sent.

    Args:
        operation: What was to be asked.
        said_at: When Recall said so, aware.
        wait_s: What is left to wait, in seconds.
    """
    return (
        f"This workspace may not {_ASKS[operation]} just now: Recall said at "
        f"{said_at.astimezone(UTC):%H:%M:%S} UTC that it did so too often. "
        f"Next in {_seconds(wait_s)}. Nothing was changed."
    )


def _seconds(wait_s: float) -> str:
    return f"{max(1, math.ceil(wait_s))} s"
