"""Flags of the command line that every verb treats alike."""
