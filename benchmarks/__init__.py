"""Measurements of equinotes, against its peers or against itself: `python -m benchmarks [names] [--quick]`.

- `training`: peers and equinotes on the same batches with the same weights, each in a process of its own, first checked to
  compute the same; their warm-up is measured apart.
- `positions`: the same for steps with and without gradients with respect to positions, equinotes and e3nn.
- `batch_size`, `dataset_size`: equinotes against itself, in one process; warmed up first.
- `batches`: against PyTorch Geometric, in one process, the first batch compared; warmed up first.
- `phate`: against PHATE's defaults, in one process, each setting once; how far the pictures agree is part of the table.
- `starting`: fresh processes, nothing to compare with but Python's own start.

All but `phate` take turns in rounds A B A B, and ratios are medians of those within a round.
"""
