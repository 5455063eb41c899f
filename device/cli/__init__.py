"""The verbs of the device side, one file each."""
