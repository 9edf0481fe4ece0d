"""From records to one self-contained page: decision, latency, bandwidth, price of depth, verdicts, health, provenance.

Every number comes out of `scripts.analysis`; here it is put into words, tables and charts.
"""
