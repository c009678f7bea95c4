"""Phantom: synthetic B-mode with exact masks, seeded; proves plumbing and geometry, never accuracy."""
