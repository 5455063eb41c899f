"""The verbs of the bridge, and what a verb is."""
