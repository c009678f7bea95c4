"""Descriptors of the BI-RADS lexicon (ACR Atlas, 5th edition): each a number, a threshold, a source and a word."""
