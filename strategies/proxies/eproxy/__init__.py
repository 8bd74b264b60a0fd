"""Eproxy: how fast an untrained network learns a made-up task, and the space of its settings that DPS searches."""
