"""Going live: from a development to a production app, until development is retired.

May import `connect`, `zoom_apps`, `recall` and below.
"""
