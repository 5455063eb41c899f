"""A run from its settings to its summary: runner, gateway, configuration file."""
