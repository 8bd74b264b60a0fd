"""Scores of many architectures, in a file that a later call can continue."""
