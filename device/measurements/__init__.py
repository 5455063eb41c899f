"""Intervals, axes and amplitudes of the representative beat, each with the leads it was read from."""
