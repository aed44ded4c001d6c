"""Facts: one place decides what is so, from all the evidence. Everything else draws it.

Pure, but for `connections.causes`, which reads the zoom apps. Imports `zoom_apps`.
"""
