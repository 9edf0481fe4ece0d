"""From raw records to numbers that may be compared: metrics, the price of a layer, verdicts. Imports no torch."""
