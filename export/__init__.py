"""Checkpoint to verified streaming model files."""
