"""Bytes on a wire to timestamped samples in millivolts, and back."""
