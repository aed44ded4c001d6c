"""The queue of messages to people: claimed, sent beside one another, tried for a day.

The leases are those of the webhooks (`db.leases`), and so is the schedule
(`relay.retries`). May import `relay` and what is below it.
"""
