"""The seed article's two listings, measured as it did and beside a pair that holds the same parameters."""
