"""TODO: one line, and which packages it may import."""
