"""A trained network as a self-contained folder."""
