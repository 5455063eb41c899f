"""How time, memory, energy and the machine are measured."""
