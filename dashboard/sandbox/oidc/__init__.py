"""A simulated identity provider (OpenID Connect), for staff single sign-on."""

from dashboard.sandbox.oidc.server import create_provider
from dashboard.sandbox.oidc.world import ProviderWorld

__all__ = ["ProviderWorld", "create_provider"]
