"""Grants stored here: refreshed, revoked, and handed to Recall on request.

May import `recall`, `zoom_apps` and the rooms below them.
"""
