"""A second Zoom and Recall, written from `docs/contracts` alone.

They share nothing with `dashboard.sandbox` and differ from it wherever the contracts
leave freedom, so what the product relies on must stand in a contract. The story of
`tests/system/test_story_independent.py` and the model (`python -m
tests.independent.model`) run against both pairs through one protocol: `world.World`.
"""
