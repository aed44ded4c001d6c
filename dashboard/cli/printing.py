"""How values are written on a terminal."""


def cell(value: object) -> str:
    """Write a value on one line, without what would steer a terminal."""
    text = "-" if value in (None, "") else str(value)
    return "".join(c if c.isprintable() else "?" for c in text)
