"""The run store: folders, provenance, results."""
