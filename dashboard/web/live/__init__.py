"""Live pages: one watcher per process draws what changed and sends it to open pages.

Imports `services.live`, `services.staff` and what the web shares.
"""
