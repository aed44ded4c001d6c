"""Recall workspaces: API keys, rate limits, signatures and credentials.

May import `relay`, `runtime` and the rooms below them.
"""
