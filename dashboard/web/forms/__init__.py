"""What people type, checked at the edge."""
