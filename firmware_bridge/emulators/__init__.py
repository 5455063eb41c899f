"""Emulators."""
