"""The tables of the Eproxy paper (Li et al., ICCV 2023), computed again on the benchmarks that are at hand."""
