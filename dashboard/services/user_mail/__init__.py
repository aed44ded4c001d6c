"""Mail to users: invitations, a reminder, links to reconnect.

May import `connect`, `invitations`, `outbox` and what is below them.
"""
