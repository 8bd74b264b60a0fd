"""Training: the loop, learning rates, augmentation, perturbations, several processes."""
