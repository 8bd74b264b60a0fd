"""The command line: it parses what the user types and prints what a command returns."""
