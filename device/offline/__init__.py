"""Stored recordings to twelve leads in a file."""
