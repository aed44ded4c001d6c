"""Zoom's API and OAuth: credentials, grants, users, event subscriptions.

May import `clients.http`; knows nothing of Recall, the database or Flask.
"""
