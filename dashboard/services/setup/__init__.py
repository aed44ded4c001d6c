"""The set-up checklist of a zoom app: which steps are done by evidence, what is next.

`steps` is pure: the steps and their rules. `first_seen` finds when each was first seen,
`checklist` stores milestones and loads the list. May import `zoom_apps`, `validation`
and below.
"""
