"""Devices that are not there: each speaks as the real firmware does."""
