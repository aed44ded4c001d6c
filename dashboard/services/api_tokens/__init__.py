"""Tokens of the API, and the stored answers of requests that may be repeated.

May import `audit` and rooms below it.
"""
