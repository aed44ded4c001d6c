"""Recall's operations and their rate limits, in words for people."""

import math
from datetime import UTC, datetime

from dashboard.clients.recall.operations import Operation

_ASKS = {
    Operation.BOTS_LIST: "list bots",
    Operation.BOTS_CREATE: "send bots",
    Operation.BOTS_RETRIEVE: "read bots",
    Operation.APPS_LIST: "list apps",
    Operation.APPS_CREATE: "create apps",
    Operation.APPS_RETRIEVE: "read apps",
    Operation.APPS_UPDATE: "update apps",
    Operation.CREDENTIALS_LIST: "list credentials",
    Operation.CREDENTIALS_CREATE: "create credentials",
    Operation.CREDENTIALS_RETRIEVE: "read credentials",
    Operation.CREDENTIALS_DESTROY: "delete credentials",
    Operation.CREDENTIALS_ACCESS_TOKEN: "fetch access tokens",
    Operation.CREDENTIALS_VALIDATE: "validate credentials",
    Operation.CREDENTIALS_SYNC_MEETINGS: "sync meetings",
    Operation.LOGS_APPS: "read app logs",
    Operation.LOGS_CREDENTIALS: "read credential logs",
    Operation.LOGS_MAPPINGS: "list mapped meetings",
}
NAMES = {
    Operation.BOTS_LIST: "List bots",
    Operation.BOTS_CREATE: "Send bot",
    Operation.BOTS_RETRIEVE: "Read bot",
    Operation.APPS_LIST: "List apps",
    Operation.APPS_CREATE: "Create app",
    Operation.APPS_RETRIEVE: "Read app",
    Operation.APPS_UPDATE: "Update app",
    Operation.CREDENTIALS_LIST: "List credentials",
    Operation.CREDENTIALS_CREATE: "Create credential",
    Operation.CREDENTIALS_RETRIEVE: "Read credential",
    Operation.CREDENTIALS_DESTROY: "Delete credential",
    Operation.CREDENTIALS_ACCESS_TOKEN: "Fetch access token",
    Operation.CREDENTIALS_VALIDATE: "Validate credential",
    Operation.CREDENTIALS_SYNC_MEETINGS: "Sync meetings",
    Operation.LOGS_APPS: "Read app log",
    Operation.LOGS_CREDENTIALS: "Read credential log",
    Operation.LOGS_MAPPINGS: "List mapped meetings",
}
"""Each operation as a row's title."""


def full(operation: Operation, *, stops_at: int, wait_s: float) -> str:
    """Say that a rate limit is used up; nothing was sent.

    Args:
        operation: The one to be called.
        stops_at: Calls a minute that the caller may make: Recall's limit, or the share
            of it for background jobs.
        wait_s: Until the next call is allowed, in seconds.
    """
    asks, limit = _ASKS[operation], operation.a_minute
    if stops_at < limit:
        said = (
            f"Background jobs pause at {stops_at} of the {limit} requests a minute "
            f"that Recall allows this workspace to {asks}."
        )
    else:
        said = (
            f"Recall allows this workspace {limit} requests a minute to {asks}, and "
            "all are used."
        )
    return f"{said} Try again in {_seconds(wait_s)}. Nothing was changed."


def paused(operation: Operation, *, said_at: datetime, wait_s: float) -> str:
    """Say that Recall asked us to wait and the time is not over; nothing was sent.

    Args:
        operation: The one to be called.
        said_at: When Recall said so, aware.
        wait_s: The time left, in seconds.
    """
    return (
        f"Recall rejected a request to {_ASKS[operation]} at "
        f"{said_at.astimezone(UTC):%H:%M:%S} UTC: too many requests. "
        f"Try again in {_seconds(wait_s)}. Nothing was changed."
    )


def _seconds(wait_s: float) -> str:
    return f"{max(1, math.ceil(wait_s))} s"
