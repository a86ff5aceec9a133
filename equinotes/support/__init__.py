"""Shared utilities: atomic files, progress bars, cores, typed values."""
