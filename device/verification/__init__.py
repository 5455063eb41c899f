"""Checks of a model file against its error budget, on the machine that runs it."""
