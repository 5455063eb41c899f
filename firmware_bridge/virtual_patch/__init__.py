"""A patch in software: signal, dialect, faults and the link it is plugged into."""
