"""What the numbers of a file stand for where it does not say: their unit, and which of them are no samples."""
