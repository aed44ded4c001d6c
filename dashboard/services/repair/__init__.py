"""Puts right what a wrong clock or an older copy of the database left behind.

May import `runtime`, `host` and what is below them.
"""
