"""Files: written atomically, checked when read, and never able to run code."""
