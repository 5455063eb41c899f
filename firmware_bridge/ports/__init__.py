"""Serial ports and sockets: opening, identifying, reading, waiting."""
