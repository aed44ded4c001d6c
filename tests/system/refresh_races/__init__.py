"""Two processes renew one grant, and Zoom or the kernel gets in between.

    python -m tests.system.refresh_races --runs 200 --seed 1

Both are real processes on one real PostgreSQL, asking the simulated Zoom over HTTP.
After each run the grant lives, or the connection says that its user must reconnect.
"""
