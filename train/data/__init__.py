"""Data sets: finding, downloading, reading and preparing their records."""
