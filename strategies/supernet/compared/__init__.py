"""The searches that RNAS is compared with."""
