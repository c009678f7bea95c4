"""Evaluation on sequences: what is shown over time, not only what is found on a picture."""
