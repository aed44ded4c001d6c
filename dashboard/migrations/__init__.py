"""Alembic's migrations; `dashboard/schema.py` runs them.

Each is named after what it changes (`scripts/migration meeting_topics "..."`) and
follows another. A migration that has landed is never edited: databases have run it. A
mistake in one is corrected by the next.
"""
