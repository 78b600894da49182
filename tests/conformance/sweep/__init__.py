"""A sweep on Dask distributed."""
