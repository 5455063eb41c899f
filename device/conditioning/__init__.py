"""From a device's rate to the model's: mains notch, resampler, high-pass, and the guard before them."""
