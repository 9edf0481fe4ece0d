"""What sections are made of: blocks, charts, words and the evidence they share."""
