"""One decoder per wire format, and the catalogue of devices."""
