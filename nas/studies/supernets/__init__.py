"""A comparison of supernet searches: how robust the cells of NAS-Bench-201 are that they find."""
