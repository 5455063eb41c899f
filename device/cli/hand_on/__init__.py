"""Verbs that read figures off stored recordings and hand them on."""
