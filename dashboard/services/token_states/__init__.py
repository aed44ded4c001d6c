"""Token states: what health checks saw, what it means, and who must act.

May import `zoom_apps` and the rooms below it. Asks Zoom for join tokens only.
"""
