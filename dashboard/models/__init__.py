"""The tables. No queries here; services ask and write."""

from dashboard.models import (
    audit,
    budget,
    check,
    connection,
    hold,
    resend,
    secret_change,
    staff,
    watch,
    webhook,
    workspace,
    zoom_app,
)

__all__ = [
    "audit",
    "budget",
    "check",
    "connection",
    "hold",
    "resend",
    "secret_change",
    "staff",
    "watch",
    "webhook",
    "workspace",
    "zoom_app",
]
