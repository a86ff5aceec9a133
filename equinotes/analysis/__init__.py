"""Runs and arrays in, tables out: projections, complexity, ablations, probes, gradients, controls."""
