"""The simulated Zoom and the simulated Recall: two HTTP servers of their own.

They behave as `docs/contracts/zoom.md` and `docs/contracts/recall.md` say the real
ones do, ugly sides included, and import nothing else of the dashboard: a simulation
that shares code with what it tests proves nothing.
"""
