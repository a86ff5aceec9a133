"""Paired measurements of equinotes against its peers: `python -m benchmarks [names] [--quick]`.

Contestants work on the same batches with the same weights, take turns in rounds A B A B, each in a process of its own, and are
first checked to compute the same thing. Warm-up is measured apart. Results are ratios within one run; see `__main__.py`.
"""
