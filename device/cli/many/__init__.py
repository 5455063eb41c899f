"""Verbs for many at once: patches on a gateway, records in a folder."""
