"""What is compared: shapes, their costs, pairs that hold a budget, and the reference network.

Nothing here imports `export` or `scripts`, and only `eager` and `weights` import torch.
"""
