"""The database: one way to read, one way to write, on SQLite and on PostgreSQL.

Imports nothing of the dashboard but settings, errors and the clock. `bulk` is for the
receiver and the relay alone.
"""

from sqlmodel import Session

from dashboard.db.database import CHANNEL, Database, announce

__all__ = ["CHANNEL", "Database", "Session", "announce"]
