"""Tracking: stable ids and hysteresis, causal."""
