"""The settings of a run: their schema, what a user typed, and which key acts in which command."""
