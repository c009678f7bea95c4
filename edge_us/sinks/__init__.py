"""Sinks: recording, findings file, display. Each can die without taking the rest along."""
