"""Model files: their description, their seal, the runtimes that execute them."""
