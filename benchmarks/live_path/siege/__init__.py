"""A recording under siege, and those who watch it honestly."""
