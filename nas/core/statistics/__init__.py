"""Statistics: confidence intervals, paired tests, tests over repetitions, rank correlations."""
