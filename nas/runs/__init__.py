"""A run: its folder, the tasks of its workers, and training on several processes."""
