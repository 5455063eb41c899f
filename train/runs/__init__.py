"""A run folder: checkpoints, and a run made from a model file."""
