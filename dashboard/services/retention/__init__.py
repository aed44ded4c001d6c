"""Retention: deletes what is finished and old.

May import `runtime` and the rooms below it.
"""
