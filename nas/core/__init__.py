"""Data, configuration, storage and training steps: the part of the project that knows nothing of architectures."""
