"""What the dashboard does. Knows no Flask; the caller commits."""
