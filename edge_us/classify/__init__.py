"""Benign or malignant: a probability for each stable lesion, from its crop."""
