"""Many runs: local processes or a Dask cluster."""
