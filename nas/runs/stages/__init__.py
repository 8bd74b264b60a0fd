"""The stages of a run (training, evaluation, transfer), the run of several seeds, and the forecast of the cost."""
