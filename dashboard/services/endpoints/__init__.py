"""The customer's endpoints: who gets events and copies of webhooks, and their log.

May import `relay`, `facts` and the rooms below them.
"""
