"""Studies on published tables: correlations, predictions, and search strategies."""
