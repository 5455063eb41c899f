"""Records on disk: writing, reading, rotating, exporting, printing."""
