"""Data sets, the causal U-Net, training and evaluation."""
