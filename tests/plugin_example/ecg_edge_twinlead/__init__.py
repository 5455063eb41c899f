"""A board and a sink for ecg-edge, from another package."""
