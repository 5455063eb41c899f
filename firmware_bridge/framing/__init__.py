"""Bytes to frames, for any wire format: scanners, sequence, text lines."""
