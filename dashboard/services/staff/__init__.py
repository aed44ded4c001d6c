"""The people who sign in, and what their roles allow.

Imports the database, the models and `throttle`.
"""
