"""Everything that imports Flask."""
