"""Time limits of tests: they catch processes that hang, on a machine with any other work."""

HUNG_S = 1800.0
