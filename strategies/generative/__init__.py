"""A generator of architectures, its pretraining, and the strategies that search with it."""
