"""Fitting a model's numbers to the place where it is used."""
