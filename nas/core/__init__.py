"""What all else rests on: data, configuration, storage and training steps; nothing here knows architecture search."""
