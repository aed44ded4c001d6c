"""The timeline of one connection: adding lines and reading pages of them.

May import `webhook_log` and rooms below it.
"""
