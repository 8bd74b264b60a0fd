"""The top floor: puts search spaces, strategies, training and evaluation together into runs."""
