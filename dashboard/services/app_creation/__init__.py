"""Creates the Zoom app itself, with a Marketplace token that is used and not stored.

`creation` asks Zoom and sets up what comes of it. May import `marketplace`, `setup` and
below.
"""
