"""People named so that they know themselves and nobody else does."""


def masked_email(email: str) -> str:
    """Return "a***@example.com" for "ana@example.com"; the domain stays."""
    name, at, domain = email.partition("@")
    return f"{name[:1]}***{at}{domain}"


def masked_id(zoom_id: str) -> str:
    """Return the first three characters of a Zoom user or account id."""
    return f"{zoom_id[:3]}***"
