"""The decision: frozen data in, frozen data out. Nothing here does I/O or knows the time of day."""
