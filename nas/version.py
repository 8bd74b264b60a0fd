"""The version of the project; `setup.cfg` reads it, and results contain it."""

__version__ = "0.3.0"
