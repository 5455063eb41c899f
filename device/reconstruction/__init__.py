"""Samples in, twelve labelled leads out: the streaming network, its fallback, gaps."""
