"""Validation status: whether Zoom → dashboard and dashboard → Recall work, by evidence.

`evidence` stores and gathers what was seen; `states` and `rules` are pure; `schedule`
says when each app is checked next. May import no other room.
"""
