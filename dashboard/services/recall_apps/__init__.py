"""Zoom apps in Recall: created, adopted, given their secrets, and their users imported.

May import `recall`, `zoom_apps` and the rooms below them.
"""
