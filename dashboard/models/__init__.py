"""The tables. No queries here; services ask and write."""

from dashboard.models import (
    audit,
    check,
    connection,
    staff,
    webhook,
    workspace,
    zoom_app,
)

__all__ = ["audit", "check", "connection", "staff", "webhook", "workspace", "zoom_app"]
