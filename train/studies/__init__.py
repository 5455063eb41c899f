"""Studies that answer one question each: `ecg-edge reproduce`."""
