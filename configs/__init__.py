"""The shipped recipes: YAML files, composed by `extends`."""
