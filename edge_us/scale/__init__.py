"""Millimetres: where a scale comes from, and when it ends."""
