"""Channels: where alerts are said, each with its sealed address and its rule.

May import `outbox` and what is below it; never what decides that something is wrong.
"""
