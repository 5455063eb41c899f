"""The causal U-Net and the lead sets it learns."""
