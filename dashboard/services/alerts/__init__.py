"""Alerts: what needs attention, said to staff once, and that it is over.

May import every other room.
"""
