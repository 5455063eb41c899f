"""All beds on one address: overview, monitors, figures, limits, one scheme of tokens."""
