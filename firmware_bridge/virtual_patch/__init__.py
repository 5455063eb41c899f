"""Virtual patch."""
