"""Training steps: the loop, learning rates, augmentation, perturbations, and several processes."""
