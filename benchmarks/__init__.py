"""Latency, accuracy and memory, side by side with the alternatives."""
