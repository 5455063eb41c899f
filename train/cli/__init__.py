"""The verbs of training and evaluation, one file each."""
