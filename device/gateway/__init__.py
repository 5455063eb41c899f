"""Several patches in several processes: supervisor, workers, the file that is watched, the local socket."""
