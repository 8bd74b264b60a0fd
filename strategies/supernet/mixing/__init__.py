"""How α mixes the operations of a supernet: the mixtures, and perturbations of a mixture."""
