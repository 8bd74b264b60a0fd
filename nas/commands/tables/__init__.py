"""Studies on published benchmarks."""
