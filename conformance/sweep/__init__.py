"""Runs fleets through many outages on Dask distributed: an example of a sweep over several machines."""
