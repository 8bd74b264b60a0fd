"""The `nas` command, one file per subcommand."""
