"""Background health checks: every connection at least once a day.

May import `connections`, `timeline`, `setup`, `token_states`, `recall` and the rooms
below them.
"""
