"""What is read off the signal: beats, quality, noise, clock drift."""
