"""Synthetic heart."""
