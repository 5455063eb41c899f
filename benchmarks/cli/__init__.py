"""The verbs `bench` and `soak`."""
