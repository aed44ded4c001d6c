"""The audit log: who did what, chained and sealed so that a change is noticed.

May import `encryption`'s row and below. `record` is called in the transaction of the
act itself; everything else is for the page, the command line and the worker.
"""

from dashboard.services.audit.changes import changed
from dashboard.services.audit.entries import (
    COMMAND_LINE,
    THE_DASHBOARD,
    Actor,
    a_user,
    command_line,
    of_subject,
    record,
)

__all__ = [
    "COMMAND_LINE",
    "THE_DASHBOARD",
    "Actor",
    "a_user",
    "changed",
    "command_line",
    "of_subject",
    "record",
]
