"""Receives Zoom's webhooks: checks signatures, stores them, counts what it refuses.

May import `validation`, `live`, `paging` and the other rooms of the lowest row.
"""
