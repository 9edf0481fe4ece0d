"""Tiny trainings of matched deep and wide networks: is depth harder to train, and what can each shape fit?"""
