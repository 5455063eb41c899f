"""What one hop costs, per network, format and runtime."""
