"""The version of the project, which `setup.cfg` reads and results carry."""

__version__ = "0.3.0"
