"""The store of a run: in a file, in memory, and the way back to a good copy."""
