"""The report of a run: one self-contained HTML page with its numbers, figures, cells and settings."""
