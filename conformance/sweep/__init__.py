"""Run fleets through many outages on Dask distributed: an example of a sweep on many machines."""
