"""Rotation of Zoom's secrets: store them here, send them to Recall, see Zoom use them.

`rotations` does it, `progress` describes it. May import `recall_apps`, `zoom_apps` and
below.
"""
