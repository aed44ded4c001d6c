"""What is measured beside what, and how to run it: see README.md here."""
