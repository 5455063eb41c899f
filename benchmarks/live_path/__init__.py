"""The live path measured from a port to the screen, and the soak."""
