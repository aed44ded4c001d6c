"""What Zoom's console needs of a zoom app: manifest, event subscription, review kit.

`console` gathers the values, `manifest` and `review` write them out, `subscriptions`
manages the event subscription via API, `delivery_log` reads Zoom's log of what it sent.
May import `zoom_apps`, `recall`, `retention` and below.
"""
