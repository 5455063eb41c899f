"""The page of benchmarks: figures, tables, boards."""
