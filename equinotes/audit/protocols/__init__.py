"""The protocols: what is run, by which rules it is judged, and the code that applies them; each package exposes `PROTOCOL`."""
