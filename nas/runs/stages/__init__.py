"""The stages of a run: training, evaluation, transfer; the same for several seeds; what they will cost."""
