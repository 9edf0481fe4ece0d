"""The price of a layer: the model of a token, its fit to a sweep, and what follows from it."""
