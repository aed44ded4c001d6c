"""The tables. No queries here; services ask and write."""

from dashboard.models import (
    audit,
    bot_test,
    check,
    circuit,
    connection,
    domain,
    erasure,
    held_grant,
    invitation,
    resend,
    staff,
    watch,
    webhook,
    worker,
    workspace,
    zoom_app,
)

__all__ = [
    "audit",
    "bot_test",
    "check",
    "circuit",
    "connection",
    "domain",
    "erasure",
    "held_grant",
    "invitation",
    "resend",
    "staff",
    "watch",
    "webhook",
    "worker",
    "workspace",
    "zoom_app",
]
