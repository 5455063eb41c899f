"""What every listening face of a run shares: address, places, time limits, token and the names it answers to."""
