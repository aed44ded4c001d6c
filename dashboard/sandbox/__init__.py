"""The simulated Zoom and the simulated Recall: two HTTP servers.

They behave as docs/contracts/zoom.md and docs/contracts/recall.md describe the real
services, their faults included. They import nothing else of the dashboard: a
simulation that shares code with what it tests proves nothing.
"""
