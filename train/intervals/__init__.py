"""How well intervals are measured: on beats with known ones, and what a reconstruction does to them."""
