"""What Zoom's console needs of a zoom app: manifest, event subscription, review kit.

`console` gathers the values, `manifest` and `review` write them out, `subscriptions`
manages the event subscription via API. May import `zoom_apps`, `recall`, `retention`
and below.
"""
