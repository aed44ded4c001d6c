"""The tables. No queries here; services ask and write."""

from dashboard.models import (
    audit,
    check,
    connection,
    hold,
    resend,
    staff,
    webhook,
    workspace,
    zoom_app,
)

__all__ = [
    "audit",
    "check",
    "connection",
    "hold",
    "resend",
    "staff",
    "webhook",
    "workspace",
    "zoom_app",
]
