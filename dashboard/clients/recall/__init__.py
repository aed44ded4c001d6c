"""Recall's API: calls, typed replies, lists, and test requests to its webhook URL.

May import `clients.http`; knows nothing of Zoom, the database or Flask.
"""
