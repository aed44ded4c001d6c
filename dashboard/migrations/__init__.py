"""Alembic's migrations; `dashboard/schema.py` runs them."""
