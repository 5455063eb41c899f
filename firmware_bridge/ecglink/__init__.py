"""EcgLink, the project's own wire protocol: frames, description, encoder, decoder."""
