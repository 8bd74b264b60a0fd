"""The store of a run: in a file or in memory, and how it is restored from a good copy."""
