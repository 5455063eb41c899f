"""Diagnosis: classifiers of PTB-XL's five superclasses, which judge whether a reconstruction keeps what matters."""
