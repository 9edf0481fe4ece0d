"""Doubles of the programs that reach iPhones."""
