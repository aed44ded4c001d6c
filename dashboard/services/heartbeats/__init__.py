"""Whether a background worker runs: the one place that decides it.

Webhooks are delivered, connections checked and data deleted by it alone.
May import no other room.
"""
