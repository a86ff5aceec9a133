"""Bases by name."""
