"""Stored recordings of any maker, read into one form."""
