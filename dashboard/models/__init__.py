"""The tables. No queries here; services ask and write."""

from dashboard.models import (
    audit,
    check,
    connection,
    erasure,
    held_grant,
    hold,
    invitation,
    resend,
    staff,
    watch,
    webhook,
    workspace,
    zoom_app,
)

__all__ = [
    "audit",
    "check",
    "connection",
    "erasure",
    "held_grant",
    "hold",
    "invitation",
    "resend",
    "staff",
    "watch",
    "webhook",
    "workspace",
    "zoom_app",
]
