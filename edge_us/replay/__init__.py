"""Bundles: a run with everything that it saw, and the same run again."""
