"""The ground floor: knows data, configuration, storage and training steps, and nothing of architecture search."""
