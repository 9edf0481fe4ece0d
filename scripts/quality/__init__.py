"""What quantisation costs a real checkpoint: `python -m scripts.quality`. Nothing of the product imports it."""
