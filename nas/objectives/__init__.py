"""What a search optimises: proxies, columns of tables, predictions, latency, and short trainings, by name."""
