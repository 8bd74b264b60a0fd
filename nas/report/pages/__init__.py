"""The values that each kind of page shows; the templates say how they look."""
