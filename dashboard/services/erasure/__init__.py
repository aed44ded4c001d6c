"""Data deletion: what is stored about a user who left goes, here and in Recall.

May import `recall` and the rooms below it.
"""
