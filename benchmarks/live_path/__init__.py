"""Live path."""
