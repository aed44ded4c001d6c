"""Encryption keys of the database. Imports the vault, the settings and the models."""
