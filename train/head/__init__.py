"""The last, linear layer: its design matrix, moments, shrinkage, baselines."""
