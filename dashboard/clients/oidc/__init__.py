"""The company's identity provider, for staff single sign-on.

Imports `clients.http`, the settings and Authlib's parts of OpenID Connect.
"""
