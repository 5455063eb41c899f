"""A training run as a job: recipe, queue, log."""
