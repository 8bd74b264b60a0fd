"""Statistics of every kind: intervals of proportions, paired tests, tests over repetitions, rank correlations."""
