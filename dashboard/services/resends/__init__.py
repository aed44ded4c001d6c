"""Resends: webhooks sent to Recall again, one or many by the log's filter.

May import `webhook_log` and the rooms below it; `relay` delivers what is queued here.
"""
