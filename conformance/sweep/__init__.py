"""Simulate many outages on the machines of a Dask cluster: an example of a distributed sweep."""
