"""Writes the pages of the reference from the code, and puts them beside the pages that people wrote."""
