"""The webhook log: search, one webhook's story and integrity, what may be shown.

May import `erasure`, `relay` and the rooms below them; opens no connection.
"""
