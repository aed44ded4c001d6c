"""Connected Zoom users and accounts: health checks, lists, meetings, PMIs, actions.

May import `timeline`, `erasure`, `grants`, `token_states` and rooms below them.
"""
