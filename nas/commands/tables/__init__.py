"""What published benchmarks say."""
