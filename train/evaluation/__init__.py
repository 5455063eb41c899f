"""Figures of a model on records: metrics, beats, bootstrap, plots."""
