"""Who may do what. Read top to bottom; nothing else decides."""

from enum import StrEnum

from dashboard.models.staff import Role


class Permission(StrEnum):
    """`<noun>:<verb>`; reading and writing are different permissions."""

    AUDIT_READ = "audit:read"
    CONNECTIONS_CHECK = "connections:check"
    CONNECTIONS_INVITE = "connections:invite"
    CONNECTIONS_READ = "connections:read"
    CONNECTIONS_WRITE = "connections:write"
    INVITATIONS_READ = "invitations:read"
    INVITATIONS_WRITE = "invitations:write"
    OVERVIEW_READ = "overview:read"
    STAFF_READ = "staff:read"
    STAFF_WRITE = "staff:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_RESEND = "webhooks:resend"
    WEBHOOKS_REVEAL = "webhooks:reveal"
    WORKSPACES_READ = "workspaces:read"
    WORKSPACES_WRITE = "workspaces:write"
    ZOOM_APPS_READ = "zoom_apps:read"
    ZOOM_APPS_WRITE = "zoom_apps:write"


GRANTS: dict[Role, frozenset[Permission]] = {
    Role.ADMIN: frozenset(Permission),
    Role.SUPPORT: frozenset(
        {
            Permission.CONNECTIONS_CHECK,
            Permission.CONNECTIONS_INVITE,
            Permission.CONNECTIONS_READ,
            Permission.INVITATIONS_READ,
            Permission.OVERVIEW_READ,
            Permission.WEBHOOKS_READ,
            Permission.ZOOM_APPS_READ,
        }
    ),
}


def may(role: Role, permission: Permission) -> bool:
    """Whether people of this role may do this."""
    return permission in GRANTS[role]
