"""A heart for tests and demos: a dipole, a rhythm, electrode noise."""
