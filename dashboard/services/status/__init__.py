"""How each zoom app is doing: overview, needs attention, its page, the silence alarm.

May import every other room: it sums up what they know.
"""
