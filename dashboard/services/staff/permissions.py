"""Who may do what. Read top to bottom; nothing else decides."""

from enum import StrEnum

from dashboard.models.staff import Role


class Permission(StrEnum):
    """`<noun>:<verb>`; reading and writing are different permissions."""

    API_TOKENS_WRITE = "api_tokens:write"
    ALERTS_READ = "alerts:read"
    ALERTS_ACKNOWLEDGE = "alerts:acknowledge"
    ALERTS_WRITE = "alerts:write"
    AUDIT_READ = "audit:read"
    CONNECTIONS_CHECK = "connections:check"
    CONNECTIONS_COUNT = "connections:count"
    CONNECTIONS_INVITE = "connections:invite"
    CONNECTIONS_READ = "connections:read"
    CONNECTIONS_WRITE = "connections:write"
    ENDPOINTS_READ = "endpoints:read"
    ENDPOINTS_WRITE = "endpoints:write"
    INVITATIONS_READ = "invitations:read"
    INVITATIONS_WRITE = "invitations:write"
    OVERVIEW_READ = "overview:read"
    SETTINGS_READ = "settings:read"
    STAFF_READ = "staff:read"
    STAFF_WRITE = "staff:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_RESEND = "webhooks:resend"
    WEBHOOKS_REVEAL = "webhooks:reveal"
    WORKSPACES_READ = "workspaces:read"
    WORKSPACES_WRITE = "workspaces:write"
    ZOOM_APPS_READ = "zoom_apps:read"
    ZOOM_APPS_WRITE = "zoom_apps:write"


_VIEWER = frozenset(
    {
        Permission.ALERTS_READ,
        Permission.CONNECTIONS_COUNT,
        Permission.OVERVIEW_READ,
        Permission.ZOOM_APPS_READ,
    }
)
_SUPPORT = _VIEWER | {
    Permission.ALERTS_ACKNOWLEDGE,
    Permission.CONNECTIONS_CHECK,
    Permission.CONNECTIONS_INVITE,
    Permission.CONNECTIONS_READ,
    Permission.INVITATIONS_READ,
    Permission.WEBHOOKS_READ,
}
_OPERATOR = _SUPPORT | {
    Permission.CONNECTIONS_WRITE,
    Permission.INVITATIONS_WRITE,
    Permission.WEBHOOKS_RESEND,
}

GRANTS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _VIEWER,
    Role.SUPPORT: _SUPPORT,
    Role.OPERATOR: _OPERATOR,
    Role.ADMIN: frozenset(Permission),
    Role.AUDITOR: frozenset({Permission.AUDIT_READ, Permission.SETTINGS_READ}),
}

CANNOT: dict[Role, str] = {
    Role.VIEWER: (
        "Sees states and counts. Can't see people, meetings or webhooks, and can't "
        "change anything."
    ),
    Role.SUPPORT: (
        "Reads connections and webhooks, checks and makes reconnect links. Can't see "
        "secrets or full bodies, disconnect, invite, resend, or edit zoom apps."
    ),
    Role.OPERATOR: (
        "Also disconnects, invites and resends. Can't see secrets or full bodies, edit "
        "zoom apps or workspaces, or manage staff."
    ),
    Role.ADMIN: (
        "Sets up and changes everything. Can't see a stored secret, and can't change "
        "or sign out auditors."
    ),
    Role.AUDITOR: (
        "Reads the audit log and the settings. Can't see or change anything else. "
        "Appointed on the command line."
    ),
}
"""What each role can't do: what the forms and docs/security.md say of it."""

LIMITABLE = frozenset({Role.VIEWER, Role.SUPPORT, Role.OPERATOR})
"""Roles whose people may be limited to chosen zoom apps."""

APPOINTED_BY_ADMINS = frozenset(Role) - {Role.AUDITOR}
"""An auditor looks at what admins do, so admins neither make nor change one."""


def may(role: Role, permission: Permission) -> bool:
    """Whether people of this role may do this."""
    return permission in GRANTS[role]
