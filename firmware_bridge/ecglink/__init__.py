"""Ecglink."""
