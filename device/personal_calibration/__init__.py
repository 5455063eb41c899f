"""A model fitted to one person: the reference recording, the fit, its file."""
