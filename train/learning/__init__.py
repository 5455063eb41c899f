"""How a network learns: batches, augmentation, losses, teachers, the training loop."""
