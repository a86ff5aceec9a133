"""QM9 as packed arrays, graphs on it, and batches cut from it."""
