"""Connecting a Zoom account: hosted pages, connect attempts, the exchange of the code.

May import `connections`, `invitations`, `grants`, `recall` and rooms below them.
"""
