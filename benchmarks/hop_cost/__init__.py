"""Hop cost."""
