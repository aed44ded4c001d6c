"""What the views of `/api/v1` share: who calls, how errors are said, the document.

`operations` makes a view of the API out of a function; the rest is behind it.
"""
