"""What benchmarks need: clocks and memory, searches and workers that only wait, loops and networks to compare with."""
