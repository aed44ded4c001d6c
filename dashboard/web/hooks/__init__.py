"""`/hooks/`: the endpoint that Zoom posts webhooks to, for WSGI and RSGI servers.

Imports `services.receiver` alone; Flask is not on the way of a webhook.
"""
