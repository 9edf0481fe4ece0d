"""Devices of other hosts, through Dask distributed."""
