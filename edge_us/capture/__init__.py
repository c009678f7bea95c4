"""Capture: every way in which a picture can come from a scanner or a file."""
