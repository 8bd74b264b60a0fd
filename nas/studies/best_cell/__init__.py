"""A comparison of search strategies: how good a cell of NAS-Bench-201 they find with few queries, and within limits."""
