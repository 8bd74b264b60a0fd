"""A run: its folder, its stages with the tasks of their workers, and training on several processes."""
