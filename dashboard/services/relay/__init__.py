"""Delivers webhooks to Recall: claims, sending, retry schedule, circuit breaker.

May import `runtime`, `receiver` and the rooms below them.
"""
