"""Foreign networks: models of libraries, files of weights, and how each network takes its images."""
