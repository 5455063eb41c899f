"""Eight bits: how a folded network is rounded, and how its rounding is made to cost less."""
